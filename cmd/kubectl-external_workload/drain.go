package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Defaults of drain.
const (
	defaultGrace        = 30 * time.Second
	defaultDrainTimeout = 2 * time.Minute
)

// workloadResource names the resource in errors.
const workloadResource = "externalworkloads.workload.linkerd.io"

// drainFlags are the flags of drain.
type drainFlags struct {
	grace, timeout time.Duration
	remove         bool
}

func (p *program) drainCommand() *cobra.Command {
	flags := drainFlags{}
	command := &cobra.Command{
		Use:   "drain [WORKLOAD]",
		Short: "Take a machine out of service, and wait until it gets no new traffic",
		Long: "Take a machine out of service: set the annotation " + v1beta1.DrainAnnotation + ", wait until no EndpointSlice has the machine ready, " +
			"and then wait for the grace period, in which open connections end. With --delete, delete the ExternalWorkload after that.\n\n" +
			"You can run drain again at any time: it keeps the first drain, and waits for the rest of the grace period; --delete then deletes only if that drain is still in effect. " +
			"The whole grace period begins when the machine is no longer ready, if an EndpointSlice still has it ready, or if it is not known since when none has.\n\n" +
			"With the kubeconfig of an invitation, a machine drains itself and may omit its name. Such a drain ends when the machine registers again; " +
			"a drain by another user does not. A machine cannot delete its ExternalWorkload, because that would end its invitation.",
		Example: p.examples("# Take vm-1 out of service", "drain vm-1", "# Drain vm-1, then delete it", "drain vm-1 --delete --grace 1m",
			"# Take this machine out of service, on the machine", "drain --kubeconfig /etc/external-workload/kubeconfig"),
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: p.completeWorkload,
		RunE: func(c *cobra.Command, args []string) error { return p.drain(c.Context(), flags, args) },
	}
	command.Flags().DurationVar(&flags.grace, "grace", defaultGrace, "time for open connections to end after no EndpointSlice has the machine ready")
	command.Flags().BoolVar(&flags.remove, "delete", false, "delete the ExternalWorkload after the grace period")
	command.Flags().DurationVar(&flags.timeout, "timeout", defaultDrainTimeout, "maximum time to wait until no EndpointSlice has the machine ready")
	return command
}

func (p *program) undrainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "undrain [WORKLOAD]",
		Short:   "Put a drained machine back into service",
		Example: p.examples("# Put vm-1 back into service", "undrain vm-1"),
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: p.completeWorkload,
		RunE: func(c *cobra.Command, args []string) error { return p.undrain(c.Context(), args) },
	}
}

func (p *program) drain(ctx context.Context, flags drainFlags, args []string) error {
	if flags.grace < 0 || flags.timeout <= 0 {
		return errors.New("--grace must not be negative, and --timeout must be positive")
	}
	on, err := p.target(args)
	if err != nil {
		return err
	}
	c, namespace, name := on.clients, on.namespace, on.name
	if on.byMachine && flags.remove {
		return fmt.Errorf("a machine cannot delete its ExternalWorkload, because its invitation would end with it; an administrator can: kubectl external-workload drain %s -n %s --delete", name, namespace)
	}
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	workload, err := client.Get(ctx, name, metav1.GetOptions{})
	var since time.Time
	switch {
	case apierrors.IsNotFound(err) && !unknownResource(err) && flags.remove:
		fmt.Fprintf(p.out, "externalworkload/%s is gone already\n", name)
		return nil
	case err != nil:
		return workloadFailed("get", namespace, name, err)
	case workload.Drained() && (on.byMachine || !workload.DrainedByMachine()):
		since = drainedSince(workload)
		fmt.Fprintf(p.out, "externalworkload/%s is drained already\n", name)
	default:
		if workload, err = client.Patch(ctx, name, types.MergePatchType, drainPatch(on.drainValue(time.Now())), on.patchOptions()); err != nil {
			return workloadFailed("patch", namespace, name, err)
		}
		fmt.Fprintf(p.out, "externalworkload/%s draining\n", name)
	}
	withdrawn, err := p.waitUntilWithdrawn(ctx, c, workload, flags.timeout)
	if err != nil {
		return err
	}
	// The condition Draining alone does not say when the grace period began, because the slices
	// may have followed later.
	rest := restOfGrace(flags.grace, laterKnown(since, withdrawn), c.clock.now())
	if err := p.waitGrace(ctx, name, flags.grace, rest); err != nil {
		return err
	}
	if !flags.remove {
		return nil
	}
	return p.delete(ctx, c, workload)
}

// delete deletes a workload that was drained, if that drain is still in effect. If it was
// ended, the machine serves again.
func (p *program) delete(ctx context.Context, c *clients, drained *v1beta1.ExternalWorkload) error {
	namespace, name := drained.Namespace, drained.Name
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	for {
		now, err := client.Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			if now.UID != drained.UID || !now.Drained() || now.Annotations[v1beta1.DrainAnnotation] != drained.Annotations[v1beta1.DrainAnnotation] {
				return fmt.Errorf("externalworkload/%s was not deleted: its drain was ended or replaced meanwhile; run drain again", name)
			}
			err = client.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &now.UID, ResourceVersion: &now.ResourceVersion}})
		}
		switch {
		case apierrors.IsConflict(err):
			continue // something was written in between, such as a condition
		case err != nil && (!apierrors.IsNotFound(err) || unknownResource(err)):
			return workloadFailed("delete", namespace, name, err)
		}
		fmt.Fprintf(p.out, "externalworkload/%s deleted\n", name)
		return nil
	}
}

// place returns the cluster and namespace of a verb that writes.
func (p *program) place() (*clients, string, error) {
	namespace, err := p.namespace()
	if err != nil {
		return nil, "", err
	}
	c, err := p.connect()
	return c, namespace, err
}

// drainPatch returns the patch that sets the annotation, or removes it if the value is
// empty.
func drainPatch(value string) []byte {
	var annotation any
	if value != "" {
		annotation = value
	}
	// Maps of strings can always be encoded.
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1beta1.DrainAnnotation: annotation}}})
	return patch
}

// waitUntilWithdrawn waits until the workload is ready in no slice, and prints what it
// waits for. It returns since when no slice has had it ready; zero if that is not known.
func (p *program) waitUntilWithdrawn(ctx context.Context, c *clients, workload *v1beta1.ExternalWorkload, timeout time.Duration) (since time.Time, err error) {
	always, err := alwaysReady(ctx, c, workload)
	if err != nil {
		return since, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	waiting := newWaiting(workload, always, func(line string) { fmt.Fprintln(p.out, line) })
	err = sliceSource(c, workload.Namespace).follow(limited, waiting.listed, waiting.changed, func(err error) {
		fmt.Fprintf(p.err, "watching EndpointSlices: %s; trying again\n", oneLine(err.Error()))
	})
	switch {
	case apierrors.IsForbidden(err):
		return since, p.waitUntilDraining(ctx, c, workload)
	case ctx.Err() != nil:
		return since, errors.New("interrupted; the machine stays drained")
	case limited.Err() != nil:
		return since, fmt.Errorf("after %s externalworkload/%s is still ready in %s; does the controller run and serve namespace %s?", timeout, workload.Name, waiting.names(), workload.Namespace)
	case err != nil:
		return since, requestFailed("list", "endpointslices.discovery.k8s.io", workload.Namespace, err)
	}
	fmt.Fprintf(p.out, "externalworkload/%s drained: no slice has it ready\n", workload.Name)
	return waiting.withdrawnSince(), nil
}

// alwaysReady returns the Services that publish drained endpoints as ready.
func alwaysReady(ctx context.Context, c *clients, workload *v1beta1.ExternalWorkload) (map[string]bool, error) {
	services, err := c.core.CoreV1().Services(workload.Namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, requestFailed("list", "services", workload.Namespace, err)
	}
	always := map[string]bool{}
	for i := range services.Items {
		always[services.Items[i].Name] = services.Items[i].Spec.PublishNotReadyAddresses
	}
	return always, nil
}

func sliceSource(c *clients, namespace string) source[discoveryv1.EndpointSlice] {
	return source[discoveryv1.EndpointSlice]{
		list: func(ctx context.Context, options metav1.ListOptions) ([]*discoveryv1.EndpointSlice, string, error) {
			list, err := c.core.DiscoveryV1().EndpointSlices(namespace).List(ctx, options)
			if err != nil {
				return nil, "", err
			}
			return pointers[discoveryv1.EndpointSlice](list.Items), list.ResourceVersion, nil
		},
		watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.watchCore.DiscoveryV1().EndpointSlices(namespace).Watch(ctx, options)
		},
	}
}

func (p *program) undrain(ctx context.Context, args []string) error {
	on, err := p.target(args)
	if err != nil {
		return err
	}
	c, namespace, name := on.clients, on.namespace, on.name
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace)
	workload, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return workloadFailed("get", namespace, name, err)
	}
	if workload.DeletionTimestamp != nil {
		return fmt.Errorf("externalworkload/%s is being deleted, which cannot be undone", name)
	}
	if !workload.Drained() {
		fmt.Fprintf(p.out, "externalworkload/%s is not drained\n", name)
		return nil
	}
	if on.byMachine && !workload.DrainedByMachine() {
		return fmt.Errorf("externalworkload/%s was drained by somebody else (%s); a machine ends only its own drain", name, printableLine(oneLine(workload.Annotations[v1beta1.DrainAnnotation])))
	}
	if _, err := client.Patch(ctx, name, types.MergePatchType, drainPatch(""), on.patchOptions()); err != nil {
		return workloadFailed("patch", namespace, name, err)
	}
	fmt.Fprintf(p.out, "externalworkload/%s undrained\n", name)
	return nil
}
