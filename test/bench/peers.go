package main

import (
	"fmt"
	"slices"
)

// chartShape is the shape that was measured with the peers.
var chartShape = shape{2000, 5}

// The two controllers that do the same work, measured by hand with 500 changes at 50 a
// second, on two processors, Kubernetes 1.36.3 and etcd 3.6.16. Kubernetes' own controller had
// as many Pods. Linkerd's was measured without its client-side limit; as shipped, the limit of
// 5 requests a second alone makes the start take 400 s.
const (
	kubernetesPeer = "Kubernetes' controller"
	linkerdPeer    = "Linkerd's, limit lifted"
	linkerdShipped = "as shipped, by its limit"
)

// panelsOf takes the figures from the rows of the report.
func panelsOf(r report) ([]panel, error) {
	named := func(name string) row {
		if i := slices.IndexFunc(r.Rows, func(row row) bool { return row.Name == name }); i >= 0 {
			return r.Rows[i]
		}
		return row{}
	}
	start := named("process start to everything published, " + chartShape.String())
	p50, cpuTime := named(fmt.Sprintf("change of readiness, %d a second, p50", slowRate)), named("CPU time of a change")
	memory := named(fmt.Sprintf("resident memory, %d workloads", chartShape.total()))
	for _, r := range []row{start, p50, cpuTime, memory} {
		if r.Measured == 0 {
			return nil, fmt.Errorf("the chart shows the results of %s: measure them with --size=full", chartShape)
		}
	}
	return []panel{
		{"Start until everything is published", seconds, start.bars(figure{kubernetesPeer, colorPeer, 18.3}, figure{linkerdPeer, colorPeer, 49.8}, figure{linkerdShipped, colorPeer, 400})},
		{"Change of readiness until it is in a slice, median", milliseconds, p50.bars(figure{kubernetesPeer, colorPeer, 19}, figure{linkerdPeer, colorPeer, 15_800})},
		{"CPU time of a change", milliseconds, cpuTime.bars(figure{kubernetesPeer, colorPeer, 9400.0 / 500}, figure{linkerdPeer, colorPeer, 21_500.0 / 500})},
		{"Resident memory", mebibytes, memory.bars(figure{kubernetesPeer, colorPeer, 172}, figure{linkerdPeer, colorPeer, 200})},
	}, nil
}

// bars are the limits that were measured, this controller, and the peers.
func (r row) bars(peers ...figure) []figure {
	var bars []figure
	for _, limit := range []figure{{"bare API", colorLimit, r.Bare}, {"floor", colorLimit, r.Floor}} {
		if limit.value > 0 {
			bars = append(bars, limit)
		}
	}
	return append(append(bars, figure{"this controller", colorOurs, r.Measured}), peers...)
}
