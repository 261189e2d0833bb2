package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/takeover"
)

// takeOverLeaseFlag names the Lease of Linkerd's controller.
const takeOverLeaseFlag = "take-over-lease"

// takeOverOptions are the options for the Lease of Linkerd's controller.
type takeOverOptions struct {
	lease string // empty: it is left alone
	mode  string
}

func addTakeOverFlags(f *pflag.FlagSet, o *takeOverOptions) {
	f.StringVar(&o.lease, takeOverLeaseFlag, "", "Lease of Linkerd's controller, as NAMESPACE/NAME (usually linkerd/linkerd-destination-endpoint-write); this controller acquires it before its first write, so that Linkerd's controller stops writing. If empty, the Lease is not touched")
	f.StringVar(&o.mode, "take-over-mode", string(takeover.Renew), "mode of the takeover: renew keeps renewing the Lease, so that Linkerd's controller resumes about 30s after this one stops; park keeps Linkerd's controller passive for a day after the last renewal, or until adopt --hand-back")
}

func (o *takeOverOptions) validate(refuse refuseFunc) error {
	if o.lease != "" {
		_, ok := leaseName(o.lease)
		refuse(!ok, takeOverLeaseFlag, fmt.Sprintf("%q", o.lease), "NAMESPACE/NAME, such as linkerd/linkerd-destination-endpoint-write")
	}
	refuse(takeover.Mode(o.mode).Validate() != nil, "take-over-mode", fmt.Sprintf("%q", o.mode), "renew or park")
	return nil
}

// leaseName parses NAMESPACE/NAME.
func leaseName(text string) (types.NamespacedName, bool) {
	namespace, name, found := strings.Cut(text, "/")
	ok := found && len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
	return types.NamespacedName{Namespace: namespace, Name: name}, ok
}

// takingOver wraps work so that it runs while Linkerd's Lease is held, if the options
// request that.
func takingOver(o *options, clients *clients, identity string, work func(context.Context) error) func(context.Context) error {
	if o.takeOver.lease == "" {
		return work
	}
	lease, _ := leaseName(o.takeOver.lease)
	return func(ctx context.Context) error {
		return takeover.New(takeover.Config{
			Leases:   clients.ungated.CoordinationV1(),
			Lease:    lease,
			Identity: identity,
			Mode:     takeover.Mode(o.takeOver.mode),
		}).Lead(ctx, work)
	}
}
