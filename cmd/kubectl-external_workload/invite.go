package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

// The formats of invite.
const (
	formatKubeconfig = "kubeconfig"
	formatCloudInit  = "cloud-init"
)

// Defaults of invite and register.
const (
	defaultValidFor      = 24 * time.Hour
	defaultTokenLifetime = 30 * 24 * time.Hour
	// minimumLifetime is the API server's own minimum for a token.
	minimumLifetime = 10 * time.Minute
)

// inviteFlags are the flags of invite.
type inviteFlags struct {
	file                    string
	cidrs                   []string
	server                  string
	validFor, tokenLifetime time.Duration
}

func (p *program) inviteCommand() *cobra.Command {
	var flags inviteFlags
	command := &cobra.Command{
		Use:   "invite WORKLOAD [-f FILE]",
		Short: "Create a credential with which a machine can register itself",
		Long: "Create the ExternalWorkload of a manifest, if it does not exist, and a ServiceAccount with which the machine may set its addresses, " +
			"drain itself and renew its token, and nothing else. Print a kubeconfig for the machine, or user data for cloud-init, to standard output; " +
			"on the machine, register uses it. The output is a credential: write it to a new file that only you can read, as in the examples.\n\n" +
			"The manifest sets labels, ports, identity and server name, and --cidr the permitted address ranges. Without --cidr, only the addresses in the manifest are permitted. " +
			"To get a new token, run invite again without -f. To change the ranges, run it with --cidr; the machine keeps its address until it registers again. " +
			"To revoke the invitation, delete the ServiceAccount or the ExternalWorkload.\n\n" +
			"This command needs the role admin in the namespace, and the chart's admission policies (invitations.enabled). It checks that they limit the new credential.",
		Example: p.examples(
			"# Invite vm-1, which may have any address in a range", "invite vm-1 -f vm-1.yaml --cidr 10.20.0.0/16 > vm-1.kubeconfig",
			"# Print user data for cloud-init instead", "invite vm-1 -f vm-1.yaml --cidr 10.20.0.0/16 -o cloud-init > user-data",
			"# Get a new token for vm-1 after its token has expired", "invite vm-1 > vm-1.kubeconfig"),
		Args: cobra.ExactArgs(1), ValidArgsFunction: p.completeWorkload,
		RunE: func(c *cobra.Command, args []string) error { return p.invite(c.Context(), flags, args[0]) },
	}
	command.Flags().StringVarP(&flags.file, "filename", "f", "", "manifest of the ExternalWorkload, or - for standard input; optional if the ExternalWorkload exists")
	command.Flags().StringSliceVar(&flags.cidrs, "cidr", nil, "address ranges from which the machine may set its addresses")
	command.Flags().StringVar(&flags.server, "machine-server", "", "URL of the API server for the machine; if empty, the URL in your kubeconfig")
	command.Flags().DurationVar(&flags.validFor, "valid-for", defaultValidFor, "time within which the machine must register")
	command.Flags().DurationVar(&flags.tokenLifetime, "token-lifetime", defaultTokenLifetime, "lifetime of the tokens that register requests on the machine, stored in its kubeconfig; at most the chart's invitations.maximumTokenLifetime")
	p.addOutputFlag(command, formatKubeconfig, formatCloudInit)
	return command
}

func (f *inviteFlags) validate() ([]netip.Prefix, error) {
	if f.validFor < minimumLifetime || f.tokenLifetime < minimumLifetime {
		return nil, fmt.Errorf("--valid-for and --token-lifetime must be at least %s", minimumLifetime)
	}
	cidrs, err := invitation.ParseCIDRs(f.cidrs)
	if err != nil {
		return nil, fmt.Errorf("--cidr: %w", err)
	}
	return cidrs, nil
}

func (p *program) invite(ctx context.Context, flags inviteFlags, name string) error {
	cidrs, err := flags.validate()
	if err != nil {
		return err
	}
	if err := invitation.CheckName(name); err != nil {
		return err
	}
	c, namespace, err := p.place()
	if err != nil {
		return err
	}
	cluster, err := p.clusterForMachine(c.config, flags.server)
	if err != nil {
		return err
	}
	manifest, err := p.invitedManifest(flags.file, namespace, name)
	if err != nil {
		return err
	}
	i := &inviter{program: p, clients: c, namespace: namespace, name: name, manifest: manifest, cidrs: cidrs,
		validFor: flags.validFor, tokenLifetime: flags.tokenLifetime}
	token, err := i.invite(ctx)
	if err != nil {
		return err
	}
	return p.printInvitation(cluster, namespace, name, token, flags.tokenLifetime)
}

// invitedManifest reads the workload's manifest, or returns nil if there is no file.
func (p *program) invitedManifest(file, namespace, name string) (*v1beta1.ExternalWorkload, error) {
	if file == "" {
		return nil, nil
	}
	manifests, err := readManifests([]string{file}, p.in, namespace)
	if err != nil {
		return nil, err
	}
	for _, w := range manifests.workloads {
		if w.Name != name {
			continue
		}
		if w.Namespace != namespace {
			return nil, fmt.Errorf("the manifest of %s is for namespace %q; give -n %s", name, w.Namespace, w.Namespace)
		}
		return w, nil
	}
	return nil, fmt.Errorf("%s has no ExternalWorkload %q", file, name)
}

// printInvitation writes the machine's files to standard output, and messages for the
// administrator to standard error.
func (p *program) printInvitation(cluster machineCluster, namespace, name, token string, lifetime time.Duration) error {
	claims, err := invitation.ParseToken(token)
	if err != nil {
		return fmt.Errorf("the API server issued a token that cannot be read: %w", err)
	}
	files := invitation.MachineFiles{Namespace: namespace, Workload: name}
	if files.Kubeconfig, err = cluster.kubeconfig(namespace, name, token, lifetime); err != nil {
		return err
	}
	output := files.Kubeconfig
	if p.output == formatCloudInit {
		if output, err = files.CloudInit(); err != nil {
			return err
		}
	}
	if _, err := p.out.Write(output); err != nil {
		return fmt.Errorf("write the invitation: %w", err)
	}
	fmt.Fprintf(p.err, "%s may register until %s. To revoke the invitation: kubectl delete serviceaccount %s -n %s\n",
		name, claims.Expires.UTC().Format(time.RFC3339), invitation.Account(name), namespace)
	return nil
}

// inviter creates the objects of one invitation.
type inviter struct {
	*program
	clients         *clients
	namespace, name string
	// manifest is nil if the object must exist already.
	manifest                *v1beta1.ExternalWorkload
	cidrs                   []netip.Prefix
	validFor, tokenLifetime time.Duration

	// undo removes what this run has created, in reverse order.
	undo []func(context.Context) error
}

// invite creates what is missing, and returns a token. If it fails, it removes what it
// has created. It changes existing objects last, after everything else has succeeded.
func (i *inviter) invite(ctx context.Context) (token string, err error) {
	defer func() {
		if err != nil {
			i.rollBack(ctx)
		}
	}()
	workload, patch, err := i.ensureWorkload(ctx)
	if err != nil {
		return "", err
	}
	account, err := i.ensureAccount(ctx, workload)
	if err != nil {
		return "", err
	}
	if err := i.ensurePermissions(ctx, workload, account); err != nil {
		return "", err
	}
	if token, err = i.requestToken(ctx, account.Name); err != nil {
		return "", err
	}
	if err := i.checkCredential(ctx, token); err != nil {
		return "", err
	}
	if patch == nil {
		return token, nil
	}
	if err := i.patchWorkload(ctx, patch); err != nil {
		return "", err
	}
	return token, nil
}

// rollBack also works after ctx was cancelled.
func (i *inviter) rollBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollBackTimeout)
	defer cancel()
	for at := len(i.undo) - 1; at >= 0; at-- {
		if err := i.undo[at](ctx); err != nil {
			fmt.Fprintln(i.err, oneLine(fmt.Sprintf("cannot remove what this run has created: %s", err)))
		}
	}
}

const rollBackTimeout = 30 * time.Second

// errGone is returned for a workload that is being deleted.
var errGone = errors.New("it is being deleted; wait until it is gone")

// created records how to remove an object, unless it is replaced meanwhile.
func (i *inviter) created(kind string, object metav1.Object, remove func(context.Context, string, metav1.DeleteOptions) error) {
	fmt.Fprintf(i.err, "%s/%s created\n", kind, object.GetName())
	uid := object.GetUID()
	i.undo = append(i.undo, func(ctx context.Context) error {
		return remove(ctx, object.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	})
}
