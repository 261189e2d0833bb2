package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func (p *program) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch WORKLOAD",
		Short: "Watch the conditions and endpoints of a machine",
		Long: "Print each change of a machine's conditions, and each write of an EndpointSlice that changes its endpoints, with the time from the change to the write. " +
			"Press Ctrl-C to stop.",
		Example: p.examples("# Watch vm-1", "watch vm-1"),
		Args:    cobra.ExactArgs(1), ValidArgsFunction: p.completeWorkload,
		RunE: func(c *cobra.Command, args []string) error { return p.watch(c.Context(), args[0]) },
	}
}

// narrator prints changes.
type narrator struct {
	program  *program
	workload string

	mu         sync.Mutex
	conditions map[v1beta1.WorkloadConditionType]string
	endpoints  map[string]string
}

func (p *program) watch(ctx context.Context, name string) error {
	c, namespace, err := p.place()
	if err != nil {
		return err
	}
	if _, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
		return workloadFailed("get", namespace, name, err)
	}
	n := &narrator{program: p, workload: name, conditions: map[v1beta1.WorkloadConditionType]string{}, endpoints: map[string]string{}}
	failed := func(err error) { n.say("the watch was interrupted: %s", err) }
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := workloadSource(c, namespace, name).follow(ctx, each(n.workloadChanged), n.workloadChanged, failed)
		return watchFailed("externalworkloads", namespace, err)
	})
	group.Go(func() error {
		err := sliceSource(c, namespace).follow(ctx, each(n.sliceChanged), n.sliceChanged, failed)
		return watchFailed("endpointslices", namespace, err)
	})
	return group.Wait()
}

// watchFailed returns nil if the user ended the watch.
func watchFailed(resource, namespace string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return requestFailed("watch", resource, namespace, err)
}

func workloadSource(c *clients, namespace, name string) source[v1beta1.ExternalWorkload] {
	only := fields.OneTermEqualSelector("metadata.name", name).String()
	return source[v1beta1.ExternalWorkload]{
		list: func(ctx context.Context, options metav1.ListOptions) ([]*v1beta1.ExternalWorkload, string, error) {
			options.FieldSelector = only
			list, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, options)
			if err != nil {
				return nil, "", err
			}
			return pointers[v1beta1.ExternalWorkload](list.Items), list.ResourceVersion, nil
		},
		watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return c.watchWorkloads.WorkloadV1beta1().ExternalWorkloads(namespace).Watch(ctx, options)
		},
	}
}

// say prints a line with the time.
func (n *narrator) say(format string, arguments ...any) {
	line := oneLine(fmt.Sprintf(format, arguments...))
	fmt.Fprintf(n.program.out, "%s  %s\n", time.Now().Format("15:04:05.000"), printableLine(line))
}

// printableLine removes characters that a terminal would interpret.
func printableLine(line string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, line)
}

// each handles a list as a change of each of its objects.
func each[T any](changed func(watch.EventType, *T) bool) func([]*T) bool {
	return func(all []*T) bool {
		for _, object := range all {
			changed(watch.Modified, object)
		}
		return true
	}
}

func (n *narrator) workloadChanged(event watch.EventType, w *v1beta1.ExternalWorkload) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if event == watch.Deleted {
		n.say("the ExternalWorkload is deleted")
		clear(n.conditions)
		return true
	}
	state := map[v1beta1.WorkloadConditionType]string{}
	for _, c := range w.Status.Conditions {
		state[c.Type] = fmt.Sprintf("%s (%s) %s", c.Status, c.Reason, c.Message)
	}
	if w.Drained() {
		state["drained"] = "yes"
	}
	var addresses []string
	for _, address := range w.Spec.WorkloadIPs {
		addresses = append(addresses, address.IP)
	}
	state["addresses"] = strings.Join(addresses, ", ")
	for _, kind := range sortedKeys(state, n.conditions) {
		before, now := n.conditions[kind], state[kind]
		switch {
		case before == now:
		case now == "":
			n.say("%s: gone, was %s", kind, before)
		default:
			n.say("%s: %s", kind, now)
		}
	}
	n.conditions = state
	return true
}

func (n *narrator) sliceChanged(event watch.EventType, slice *discoveryv1.EndpointSlice) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := ""
	if event != watch.Deleted {
		now = endpointText(slice, n.workload)
	}
	before := n.endpoints[slice.Name]
	if before == now {
		return true
	}
	n.endpoints[slice.Name] = now
	if now == "" {
		now = "taken out"
	}
	n.say("Service %s, slice %s: %s%s", slice.Labels[discoveryv1.LabelServiceName], slice.Name, now, latency(slice, before != ""))
	return true
}

// endpointText describes a workload's endpoint in a slice; empty if it has none.
func endpointText(slice *discoveryv1.EndpointSlice, workload string) string {
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		if !isEndpointOf(e, workload) {
			continue
		}
		text := strings.Join(e.Addresses, ",")
		for _, c := range []struct {
			name  string
			value *bool
		}{{"ready", e.Conditions.Ready}, {"serving", e.Conditions.Serving}, {"terminating", e.Conditions.Terminating}} {
			if c.value != nil && *c.value {
				text += " " + c.name
			}
		}
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			text += " (not ready)"
		}
		return text
	}
	return ""
}

// latency returns the age of the change that the slice's last write publishes.
func latency(slice *discoveryv1.EndpointSlice, changed bool) string {
	trigger, err := time.Parse(time.RFC3339Nano, slice.Annotations[corev1.EndpointsLastChangeTriggerTime])
	if err != nil || !changed {
		return ""
	}
	return fmt.Sprintf(", %s after the change", time.Since(trigger).Round(time.Millisecond))
}

// sortedKeys returns the keys of both maps.
func sortedKeys(a, b map[v1beta1.WorkloadConditionType]string) []v1beta1.WorkloadConditionType {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
