package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

// target is the workload that a verb changes.
type target struct {
	clients         *clients
	namespace, name string
	// byMachine is true with the credential of the machine itself.
	byMachine bool
}

// target returns the named workload, or that of the machine whose credential is used.
func (p *program) target(args []string) (target, error) {
	c, namespace, err := p.place()
	if err != nil {
		return target{}, err
	}
	token, isMachine := c.machineToken()
	switch {
	case !isMachine && len(args) == 0:
		return target{}, errors.New("give a workload; only a machine with the kubeconfig of its invitation may leave it out")
	case !isMachine:
		return target{clients: c, namespace: namespace, name: args[0]}, nil
	case len(args) > 0 && args[0] != token.Workload:
		return target{}, fmt.Errorf("the kubeconfig is the invitation of %s, which may not change %s", token.Workload, args[0])
	}
	return target{clients: c, namespace: token.Namespace, name: token.Workload, byMachine: true}, nil
}

// drainValue returns the value of the drain annotation. A value by a machine shows that
// the machine may end the drain.
func (t *target) drainValue(now time.Time) string {
	value := now.UTC().Format(time.RFC3339)
	if t.byMachine {
		return v1beta1.MachineDrainPrefix + value
	}
	return value
}

func (t *target) patchOptions() metav1.PatchOptions {
	if t.byMachine {
		return metav1.PatchOptions{FieldManager: invitation.FieldManager}
	}
	return metav1.PatchOptions{}
}

// drainingTimeout is the time for the controller to acknowledge a drain, for users who
// may not read EndpointSlices.
const drainingTimeout = 10 * time.Second

// waitUntilDraining waits for the condition Draining, which the controller writes when
// it has observed the drain. It never fails: a machine that is shutting down must
// continue with the grace period.
func (p *program) waitUntilDraining(ctx context.Context, c *clients, workload *v1beta1.ExternalWorkload) error {
	limited, cancel := context.WithTimeout(ctx, drainingTimeout)
	defer cancel()
	waits := func(w *v1beta1.ExternalWorkload) bool {
		for i := range w.Status.Conditions {
			if condition := &w.Status.Conditions[i]; condition.Type == v1beta1.WorkloadDraining && condition.Status == v1beta1.ConditionTrue {
				return false
			}
		}
		return true
	}
	err := workloadSource(c, workload.Namespace, workload.Name).follow(limited,
		func(all []*v1beta1.ExternalWorkload) bool { return len(all) == 0 || waits(all[0]) },
		func(event watch.EventType, w *v1beta1.ExternalWorkload) bool {
			return event != watch.Deleted && waits(w)
		},
		func(error) {})
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; the machine stays drained")
	case err != nil:
		fmt.Fprintf(p.err, "the controller has not acknowledged the drain; waiting for the grace period only\n")
	default:
		fmt.Fprintf(p.out, "externalworkload/%s drained: the controller takes it out of all slices\n", workload.Name)
	}
	return nil
}
