package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

// readyWait waits until the machine is ready. Whether a Service serves it is in
// EndpointSlices, which the machine may not read.
type readyWait struct {
	*registrar
	own *credential
	// state is the last reason reported for not being ready.
	state string
	// failure is why the machine cannot become ready any more.
	failure error
}

func (r *registrar) waitUntilReady(ctx context.Context, c *clients, own *credential, workload *v1beta1.ExternalWorkload) error {
	limited, cancel := context.WithTimeout(ctx, r.flags.timeout)
	defer cancel()
	w := &readyWait{registrar: r, own: own}
	err := workloadSource(c, workload.Namespace, workload.Name).follow(limited, w.listed, w.changed, func(err error) {
		if w.interrupted(err); w.failure != nil {
			cancel()
		}
	})
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case w.failure != nil:
		return w.failure
	case err == nil:
		return nil
	case limited.Err() != nil:
		fmt.Fprintf(r.err, "after %s externalworkload/%s is not ready: %s\n", r.flags.timeout, workload.Name, w.state)
		return errNotServed
	}
	return own.failed("list", err, r.now())
}

// listed returns false when there is nothing to wait for.
func (w *readyWait) listed(all []*v1beta1.ExternalWorkload) bool {
	if len(all) == 0 {
		w.failure = w.own.deleted("was deleted")
		return false
	}
	return w.changed(watch.Modified, all[0])
}

// changed returns false when there is nothing to wait for.
func (w *readyWait) changed(event watch.EventType, workload *v1beta1.ExternalWorkload) bool {
	if event == watch.Deleted {
		w.failure = w.own.deleted("was deleted")
		return false
	}
	if workload.DeletionTimestamp != nil {
		w.failure = w.own.deleted("is being deleted")
		return false
	}
	options := desired.Options{IgnoreProbes: !w.flags.readiness}
	if ready := readyAddresses(workload, options); len(ready) > 0 {
		fmt.Fprintf(w.out, "externalworkload/%s is ready at %s (%s)\n", workload.Name, strings.Join(ready, ", "), explain.SourceText(workload, options))
		fmt.Fprintf(w.out, "to see which Services serve it, an administrator runs: kubectl external-workload why %s -n %s\n", workload.Name, workload.Namespace)
		return false
	}
	if now := notReadyText(workload); now != w.state {
		w.state = now
		fmt.Fprintf(w.out, "waiting: %s\n", now)
	}
	return true
}

// interrupted takes the error of a watch. The rights of the machine end with its
// object, so that it may not see the deletion.
func (w *readyWait) interrupted(err error) {
	if apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) {
		w.failure = w.own.failed("get", err, w.now())
		return
	}
	fmt.Fprintf(w.err, "watching the ExternalWorkload: %s; trying again\n", oneLine(err.Error()))
}
