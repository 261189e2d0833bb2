package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/external-workload/controller/pkg/explain"
)

func (p *program) listCommand() *cobra.Command {
	all := false
	command := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List machines, their readiness, and how many Services serve them",
		Example: p.examples("# List the machines of the namespace", "list", "# List the machines of all namespaces, with the reason why they are not served", "list -A -o wide"),
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return p.list(c.Context(), all) },
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the machines of all namespaces")
	p.controller.add(command.Flags())
	p.addOutputFlag(command, formatJSON, formatYAML, formatWide, formatName)
	return command
}

func (p *program) list(ctx context.Context, allNamespaces bool) error {
	namespace := ""
	if !allNamespaces {
		var err error
		if namespace, err = p.namespace(); err != nil {
			return err
		}
	}
	seen, err := p.gather(ctx, namespace, &manifestObjects{}, false)
	if err != nil {
		return err
	}
	listed := []*explain.Workload{}
	for _, name := range seen.namespaces() {
		answers := seen.in(name)
		for _, workload := range answers.Names() {
			one, err := answers.Workload(workload, "")
			if err != nil {
				return err
			}
			listed = append(listed, one)
		}
	}
	if done, err := p.print(listed); done {
		return err
	}
	return p.printList(listed, seen, allNamespaces)
}

func (p *program) printList(listed []*explain.Workload, seen *cluster, allNamespaces bool) error {
	if p.output == formatName {
		for _, one := range listed {
			fmt.Fprintf(p.out, "externalworkload.workload.linkerd.io/%s\n", one.Name)
		}
		return nil
	}
	if len(listed) == 0 {
		fmt.Fprintln(p.err, "No ExternalWorkloads found.")
		return nil
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 3, ' ', 0)
	header := "NAME\tADDRESS\tREADY\tREASON\tSINCE\tSERVED"
	if allNamespaces {
		header = "NAMESPACE\t" + header
	}
	if p.output == formatWide {
		header += "\tNOT SERVED BY"
	}
	fmt.Fprintln(w, header)
	for _, one := range listed {
		row := listRow(one, seen)
		if allNamespaces {
			row = one.Namespace + "\t" + row
		}
		if p.output == formatWide {
			row += "\t" + refusals(one)
		}
		fmt.Fprintln(w, strings.TrimRight(row, "\t"))
	}
	return w.Flush()
}

// listRow returns the line of one workload.
func listRow(one *explain.Workload, seen *cluster) string {
	served, since := 0, ""
	for i := range one.Answers {
		if one.Answers[i].Served {
			served++
		}
	}
	if one.State.Since != nil {
		since = duration.HumanDuration(seen.options.Now.Sub(*one.State.Since))
	}
	return strings.Join([]string{
		one.Name, oneLine(strings.Join(one.State.Addresses, ",")), oneLine(one.State.Ready), oneLine(one.State.Reason), since,
		fmt.Sprintf("%d/%d", served, len(one.Answers)),
	}, "\t")
}

// refusals lists the Services that do not serve a workload, with the reasons.
func refusals(one *explain.Workload) string {
	var texts []string
	for i := range one.Answers {
		if !one.Answers[i].Served {
			texts = append(texts, fmt.Sprintf("%s (%s)", one.Answers[i].Service, oneLine(one.Answers[i].Reason())))
		}
	}
	return strings.Join(texts, ", ")
}
