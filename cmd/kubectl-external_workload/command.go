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
		Short: "Explain why a machine outside the cluster gets traffic or not, drain it, and register it",
		Long: "Manage ExternalWorkloads: machines outside the cluster to which Services send traffic.\n\n" +
			"Exit codes: 0 for success, 1 for an error, 2 if a workload is not served.",
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
