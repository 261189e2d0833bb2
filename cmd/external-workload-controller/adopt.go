package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/adopt"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/leadership"
	"github.com/external-workload/controller/pkg/plan"
	"github.com/external-workload/controller/pkg/takeover"
)

// adoption is the subcommand that previews a takeover or hands Linkerd's Lease back.
const adoption = "adopt"

// adoptFlags are the flags of the controller that adopt has too.
var adoptFlags = []string{"kubeconfig", "namespaces", "managed-by", "max-endpoints-per-slice", "second-family", "zone-from-cidr", "readiness", takeOverLeaseFlag}

// errUsage is returned for invalid arguments.
var errUsage = errors.New("wrong usage")

// adoptCommand is the subcommand adopt, with the arguments after its name.
func adoptCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	dryRun, handBack, refreshes, refreshRate := false, false, false, 0.0
	flags := pflag.NewFlagSet(defaultName+" "+adoption, pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&dryRun, "dry-run", false, "print what the controller would write, endpoint by endpoint, and write nothing")
	flags.BoolVar(&handBack, "hand-back", false, "release the Lease of --take-over-lease, so that Linkerd's controller leads again")
	flags.BoolVar(&refreshes, "refresh", false, "let the running controller announce every ready endpoint again, one after the other, so that clients with old values from Linkerd's controller get the current ones")
	flags.Float64Var(&refreshRate, "refresh-rate", defaultRefreshRate, fmt.Sprintf("maximum number of endpoints per second with --refresh (%v to %v)", minRefreshRate, maxRefreshRate))
	all := newFlags(&o)
	for _, name := range adoptFlags {
		flags.AddFlag(all.Lookup(name))
	}
	if err := flags.Parse(args); err != nil {
		return errors.Join(errUsage, err)
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(0))
	case count(dryRun, handBack, refreshes) != 1:
		return fmt.Errorf("%w: give adopt one of --dry-run, to print what would be written, --refresh, to announce every endpoint again, and --hand-back, to let Linkerd's controller lead again", errUsage)
	case refreshRate < minRefreshRate || refreshRate > maxRefreshRate:
		return fmt.Errorf("%w: --refresh-rate is %v, want %s", errUsage, refreshRate, bounds(minRefreshRate, maxRefreshRate))
	case handBack && o.takeOver.lease == "":
		return fmt.Errorf("%w: give --take-over-lease with --hand-back, such as linkerd/linkerd-destination-endpoint-write", errUsage)
	}
	if err := o.validate(); err != nil {
		return errors.Join(errUsage, err)
	}
	// The gate stays closed, so the controller's clients cannot write.
	clients, err := newClients(&o, &leadership.WriteGate{})
	if err != nil {
		return err
	}
	if handBack {
		return releaseLease(ctx, &o, clients, stdout)
	}
	if refreshes {
		return refreshAll(ctx, &o, clients, refreshRate, stdout)
	}
	return preview(ctx, &o, clients, stdout)
}

// count returns the number of flags that are set.
func count(flags ...bool) (n int) {
	for _, set := range flags {
		if set {
			n++
		}
	}
	return n
}

// releaseLease frees Linkerd's Lease and prints what follows.
func releaseLease(ctx context.Context, o *options, clients *clients, stdout io.Writer) error {
	lease, _ := leaseName(o.takeOver.lease)
	holder, err := takeover.HandBack(ctx, clients.ungated.CoordinationV1(), lease)
	if err != nil {
		return err
	}
	if holder == "" {
		fmt.Fprintf(stdout, "Lease %s is not held by this controller; nothing was changed.\n", lease)
		return nil
	}
	fmt.Fprintf(stdout, "Lease %s is free (it was held by %q). Linkerd's controller leads within a few seconds.\n", lease, holder)
	return nil
}

// preview reads the objects once and prints what would be written.
func preview(ctx context.Context, o *options, clients *clients, stdout io.Writer) error {
	all, err := allSubjects(ctx, o, clients)
	if err != nil {
		return err
	}
	options := adopt.Options{
		Options: desired.Options{
			ManagedBy:            o.managedBy,
			WithholdSecondFamily: o.secondFamily == familyWithhold,
			Zones:                o.zones,
			IgnoreProbes:         !o.readiness.enabled,
			// Workloads that were just created count as settled.
			Now: time.Now().Add(time.Minute),
		},
		MaxEndpoints: o.maxEndpoints,
	}
	var previews []adopt.Preview
	for i := range all {
		previews = append(previews, adopt.Compute(&all[i], options))
	}
	return adopt.Print(stdout, previews)
}

// allSubjects reads all objects that affect publishing.
func allSubjects(ctx context.Context, o *options, clients *clients) ([]adopt.Subject, error) {
	namespaces := o.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	if err := newPreflight(clients, namespaces).check(ctx); err != nil {
		return nil, fmt.Errorf("asking the API server: %w", err)
	}
	var all []adopt.Subject
	for _, namespace := range namespaces {
		subjects, err := subjectsIn(ctx, clients, namespace, o.managedBy)
		if err != nil {
			return nil, err
		}
		all = append(all, subjects...)
	}
	return all, nil
}

// subjectsIn reads all objects of a namespace, or of all, that affect publishing.
func subjectsIn(ctx context.Context, clients *clients, namespace, managedBy string) ([]adopt.Subject, error) {
	var services *corev1.ServiceList
	var workloads *v1beta1.ExternalWorkloadList
	var err error
	if services, err = clients.core.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{}); err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	if workloads, err = clients.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, metav1.ListOptions{}); err != nil {
		return nil, fmt.Errorf("listing ExternalWorkloads: %w", err)
	}
	owned := map[types.NamespacedName][]*discoveryv1.EndpointSlice{}
	for _, selector := range plan.Selectors(managedBy) {
		list, err := clients.core.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, fmt.Errorf("listing EndpointSlices: %w", err)
		}
		for i := range list.Items {
			if service, ours := plan.ServiceOf(&list.Items[i]); ours {
				owned[service] = append(owned[service], &list.Items[i])
			}
		}
	}
	return adopt.Group(services.Items, workloads.Items, owned, time.Now()), nil
}
