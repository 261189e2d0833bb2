package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// streams are the standard streams.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// program is the state that all verbs share.
type program struct {
	// name is the program's name in examples and fixes.
	name string
	streams
	connection
	controller controllerFlags
	output     string
}

// newCommand returns the root command.
func newCommand(name string, io streams) *cobra.Command {
	p := &program{name: name, streams: io}
	root := &cobra.Command{
		Use:   "external-workload",
		Short: "Say why a machine outside the cluster is served or not, drain it, and register it",
		Long: "external-workload works with ExternalWorkloads, the machines outside a cluster that Services send traffic to.\n\n" +
			"Exit codes: 0 if all is as asked, 2 if a workload is not served, 1 for errors.",
		SilenceErrors: true, SilenceUsage: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Version:     version(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	p.addConnectionFlags(root.PersistentFlags())
	_ = root.RegisterFlagCompletionFunc("namespace", p.completeNamespaces)
	_ = root.RegisterFlagCompletionFunc("context", p.completeContexts)
	root.AddCommand(p.whyCommand(), p.listCommand(), p.watchCommand(), p.drainCommand(), p.undrainCommand(), p.inviteCommand(), p.registerCommand())
	return root
}
