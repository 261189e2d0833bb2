package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/explain"
)

// whyFlags are the flags of why.
type whyFlags struct {
	service string
	files   []string
	local   bool
}

func (p *program) whyCommand() *cobra.Command {
	var flags whyFlags
	command := &cobra.Command{
		Use:   "why [WORKLOAD [SERVICE]]",
		Short: "Explain why Services send traffic to a machine or not",
		Long: "Explain for each Service that selects a machine, or for one Service, whether it sends traffic to the machine: print every check in order, " +
			"other settings that limit the traffic, and a fix.\n\nThe command lists Services, EndpointSlices and ExternalWorkloads, and needs no controller. " +
			"With -f it also reads manifests, as if kubectl apply had just applied them to the cluster: what other programs have set, such as a drain, a registered address or status, stays. A name that they contain needs no -n. With --local it reads only manifests.",
		Example: p.examples(
			"# Why is machine vm-1 not served?", "why vm-1",
			"# Explain only Service web", "why vm-1 web",
			"# Explain all machines of Service web", "why --service web",
			"# What would happen if these manifests were applied?", "why vm-1 -f manifests/",
			"# The same in CI, without a cluster", "why -f manifests/ --local"),
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: p.completeWorkloadThenService,
		RunE: func(c *cobra.Command, args []string) error {
			return p.why(c.Context(), flags, args)
		},
	}
	command.Flags().StringVar(&flags.service, "service", "", "explain all machines of this Service")
	command.Flags().StringSliceVarP(&flags.files, "filename", "f", nil, "manifests to read: files, directories or - for standard input")
	command.Flags().BoolVar(&flags.local, "local", false, "read only the manifests, and contact no API server")
	_ = command.RegisterFlagCompletionFunc("service", p.completeServices)
	p.controller.add(command.Flags())
	p.addOutputFlag(command, formatJSON, formatYAML)
	return command
}

func (p *program) why(ctx context.Context, flags whyFlags, args []string) error {
	switch {
	case flags.service != "" && len(args) > 0:
		return errors.New("give either a workload or --service; for one workload in one Service: why WORKLOAD SERVICE")
	case flags.service == "" && len(args) == 0 && len(flags.files) == 0:
		return errors.New("give a workload, --service SERVICE, or manifests with -f")
	case flags.local && len(flags.files) == 0:
		return errors.New("--local needs manifests: give them with -f")
	}
	scope, err := p.whyScope(flags, args)
	if err != nil {
		return err
	}
	seen, err := p.gather(ctx, scope.namespace, &scope.manifests, flags.local)
	if err != nil {
		return err
	}
	if flags.service != "" {
		return p.whyService(seen.in(scope.namespace), flags.service, seen)
	}
	names, err := scope.names(args)
	if err != nil {
		return err
	}
	service := ""
	if len(args) > 1 {
		service = args[1]
	}
	return p.whyWorkloads(seen, names, service)
}

func (p *program) whyWorkloads(seen *cluster, names []types.NamespacedName, service string) error {
	answers := map[string]*explain.Namespace{}
	var all []*explain.Workload
	for _, name := range names {
		if answers[name.Namespace] == nil {
			answers[name.Namespace] = seen.in(name.Namespace)
		}
		one, err := answers[name.Namespace].Workload(name.Name, service)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	if err := p.printWorkloads(all); err != nil {
		return err
	}
	for _, one := range all {
		if !one.Served {
			return errNotServed
		}
	}
	return nil
}

func (p *program) printWorkloads(all []*explain.Workload) error {
	var value any = all
	if len(all) == 1 {
		value = all[0]
	}
	if done, err := p.print(value); done {
		return err
	}
	for i, one := range all {
		if i > 0 {
			fmt.Fprintln(p.out)
		}
		if err := explain.WriteWorkload(p.out, one, p.style()); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) whyService(answers *explain.Namespace, name string, seen *cluster) error {
	one, err := answers.Service(name)
	if err != nil {
		return err
	}
	if done, err := p.print(one); done {
		if err != nil {
			return err
		}
	} else if err := explain.WriteService(p.out, one, seen.options.Now, p.style()); err != nil {
		return err
	}
	if one.Problem != "" || one.Served < len(one.Answers) {
		return errNotServed
	}
	return nil
}

// examples writes pairs of a comment and the arguments of a command.
func (p *program) examples(pairs ...string) string {
	text := ""
	for i := 0; i+1 < len(pairs); i += 2 {
		line := p.name + " " + pairs[i+1]
		if strings.Contains(line, " > ") {
			// Only credentials are written to files, and nobody else may read these.
			line = "(umask 077; " + line + ")"
		}
		text += fmt.Sprintf("  %s\n  %s\n", pairs[i], line)
		if i+2 < len(pairs) {
			text += "\n"
		}
	}
	return text
}
