package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// A Request is one kind of request to the API server.
type Request struct {
	// Verb is the method, or LIST, WATCH, APPLY, DELETECOLLECTION.
	Verb string
	// Group and Resource are for example discovery.k8s.io and endpointslices.
	Group, Resource string
	// Subresource is for example status; empty for the object itself.
	Subresource string
	// Code is the HTTP status of the answer, such as 409.
	Code string
}

// Requests are counts of requests of all clients, including the API server itself.
type Requests map[Request]int

var writeVerbs = []string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}

// Requests returns the counts of answered requests since the API server started. Watches
// count when they end.
func (c *ControlPlane) Requests(ctx context.Context) (Requests, error) {
	const metric = "apiserver_request_total"
	client, err := kubernetes.NewForConfig(c.AdminConfig())
	if err != nil {
		return nil, err
	}
	text, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	counts := Requests{}
	for _, sample := range families[metric].GetMetric() {
		labels := map[string]string{}
		for _, label := range sample.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		kind := Request{
			Verb: labels["verb"], Group: labels["group"], Resource: labels["resource"],
			Subresource: labels["subresource"], Code: labels["code"],
		}
		counts[kind] += int(sample.GetCounter().GetValue())
	}
	return counts, nil
}

// Since returns the difference to earlier counts.
func (r Requests) Since(earlier Requests) Requests {
	added := Requests{}
	for kind, count := range r {
		if more := count - earlier[kind]; more != 0 {
			added[kind] = more
		}
	}
	return added
}

// Writes counts the successful writes of a resource and its subresources, for example of
// discovery.k8s.io and endpointslices.
func (r Requests) Writes(group, resource string) int {
	total := 0
	for kind, count := range r {
		if kind.Group == group && kind.Resource == resource &&
			slices.Contains(writeVerbs, kind.Verb) && kind.Code >= "200" && kind.Code < "300" {
			total += count
		}
	}
	return total
}
