package plantest_test

import (
	"testing"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/planned"
)

// found are short histories that the planner once failed.
var found = map[string]plantest.History{
	"a slice gets new ports while an endpoint with its former address waits": {
		{Kind: plantest.CreateService, A: 0},
		{Kind: plantest.CreateWorkload, A: 1, B: 15},
		{Kind: plantest.CreateWorkload, A: 2, B: 5},
		{Kind: plantest.CreateWorkload, A: 4, B: 0},
		{Kind: plantest.Quiet},
		{Kind: plantest.SetAddress, A: 2, B: 0},
		{Kind: plantest.Sync},
		{Kind: plantest.SetWorkloadPorts, A: 2, B: 0},
		{Kind: plantest.DeleteWorkload, A: 1},
	},
	"a draining workload joins a slice whose ports are about to change": {
		{Kind: plantest.CreateService, A: 4},          // http -> "admin"
		{Kind: plantest.CreateWorkload, A: 0},         // serves both ports
		{Kind: plantest.CreateWorkload, A: 1},         // serves both ports
		{Kind: plantest.SetWorkloadPorts, A: 1, B: 1}, // http only
		{Kind: plantest.Sync},
		{Kind: plantest.BeginDeletion, A: 1},
		{Kind: plantest.SetServicePorts, A: 0}, // http -> "http"
	},
	"a workload takes over an address and port by getting other ports": {
		{Kind: plantest.CreateService, A: 1}, // both ports
		{Kind: plantest.CreateWorkload, A: 0},
		{Kind: plantest.SetWorkloadPorts, A: 0, B: 4}, // admin only
		{Kind: plantest.CreateWorkload, A: 1},
		{Kind: plantest.SetWorkloadPorts, A: 1, B: 1}, // http only
		{Kind: plantest.SetAddress, A: 1, B: 0},       // the address of the first
		{Kind: plantest.Sync},
		{Kind: plantest.SetWorkloadPorts, A: 0, B: 1}, // http only
	},
}

func TestHistoriesThatFailedOnce(t *testing.T) {
	for name, history := range found {
		t.Run(name, func(t *testing.T) {
			for _, setup := range setups(planned.New) {
				if result := plantest.Play(setup, history, nil); result.Violation != "" {
					t.Error(plantest.Report(setup, history))
				}
			}
		})
	}
}
