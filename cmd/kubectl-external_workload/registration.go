package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/invitation"
)

// round brings the object, the token and the addresses together once. It waits
// until the machine is ready if something has changed.
func (r *registrar) round(ctx context.Context) error {
	own, err := r.credential()
	if err != nil {
		return err
	}
	lifetime, err := r.flags.tokenLifetimeFor(&own)
	if err != nil {
		return err
	}
	c, err := r.connect()
	if err != nil {
		return err
	}
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(own.Namespace)
	workload, err := client.Get(ctx, own.Workload, metav1.GetOptions{})
	if err != nil {
		return own.failed("get", err, r.now())
	}
	r.renewIfDue(ctx, c, &own, lifetime)
	addresses, err := r.addresses(ctx, c.config.Host, workload)
	if err != nil {
		return err
	}
	starting := !r.started
	r.started = true
	patch := registrationPatch(workload, addresses, starting)
	if patch != nil {
		options := metav1.PatchOptions{FieldManager: invitation.FieldManager}
		if workload, err = client.Patch(ctx, own.Workload, types.MergePatchType, patch, options); err != nil {
			r.started = !starting
			return own.failed("patch", err, r.now())
		}
		fmt.Fprintf(r.out, "externalworkload/%s registered at %s\n", own.Workload, addressText(workload))
	} else if starting {
		fmt.Fprintf(r.out, "externalworkload/%s is registered at %s already\n", own.Workload, addressText(workload))
	}
	if patch == nil && !starting {
		return nil
	}
	return r.waitUntilReady(ctx, c, &own, workload)
}

// addresses are those that were given, or that the machine has.
func (r *registrar) addresses(ctx context.Context, host string, workload *v1beta1.ExternalWorkload) ([]netip.Addr, error) {
	cidrs := invitation.CIDRsOf(workload)
	if len(cidrs) == 0 {
		return nil, fmt.Errorf("the ExternalWorkload %s permits no addresses in the annotation %s", workload.Name, v1beta1.InvitedCIDRsAnnotation)
	}
	if len(r.flags.ips) > 0 {
		return invitation.Given(r.flags.ips, cidrs)
	}
	route, interfaces, err := r.find(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("find the addresses of this machine: %w; give them with --ip", err)
	}
	return invitation.Choose(route, interfaces, cidrs)
}

// registrationPatch is the JSON merge patch that sets the addresses, and on the
// start ends the machine's own drain. It is nil if there is nothing to change.
func registrationPatch(workload *v1beta1.ExternalWorkload, addresses []netip.Addr, starting bool) []byte {
	var ips []v1beta1.WorkloadIP
	for _, address := range addresses {
		ips = append(ips, v1beta1.WorkloadIP{IP: address.String()})
	}
	patch := map[string]any{}
	if !slices.Equal(workload.Spec.WorkloadIPs, ips) {
		patch["spec"] = map[string]any{"workloadIPs": ips}
	}
	if starting && workload.DrainedByMachine() {
		patch["metadata"] = map[string]any{"annotations": map[string]any{v1beta1.DrainAnnotation: nil}}
	}
	if len(patch) == 0 {
		return nil
	}
	// Maps of these types always encode.
	encoded, _ := json.Marshal(patch)
	return encoded
}

// readyAddresses are the addresses at which a workload is ready, for a controller with
// these settings.
func readyAddresses(w *v1beta1.ExternalWorkload, options desired.Options) []string {
	counted := desired.NewWorkload(w, nil, desired.Sighting{})
	var ready []string
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		if counted.ReadyIn(family, options) {
			ready = append(ready, counted.AddressIn(family))
		}
	}
	return ready
}

// notReadyText says why a workload is not ready.
func notReadyText(w *v1beta1.ExternalWorkload) string {
	switch {
	case w.Drained():
		return fmt.Sprintf("it is drained (%s); undrain puts it back into service", printableLine(oneLine(w.Annotations[v1beta1.DrainAnnotation])))
	case len(w.Spec.WorkloadIPs) == 0:
		return "it has no address"
	}
	for i := range w.Status.Conditions {
		c := &w.Status.Conditions[i]
		if c.Type == v1beta1.WorkloadReady && c.Status != v1beta1.ConditionTrue {
			return printableLine(oneLine(fmt.Sprintf("Ready is %s (%s) %s", c.Status, c.Reason, c.Message)))
		}
		if c.Type == v1beta1.WorkloadReady {
			return "the present addresses have not passed the probe"
		}
	}
	return "it has no condition Ready yet"
}

func addressText(w *v1beta1.ExternalWorkload) string {
	texts := make([]string, len(w.Spec.WorkloadIPs))
	for i, address := range w.Spec.WorkloadIPs {
		texts[i] = address.IP
	}
	return strings.Join(texts, ", ")
}
