package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// completionTimeout is the timeout of a completion.
const completionTimeout = 3 * time.Second

// names completes names, which it reads from the API server.
func (p *program) names(list func(context.Context, *clients, string) []string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	c, err := p.connect()
	if err != nil {
		return nil
	}
	namespace, err := p.namespace()
	if err != nil {
		return nil
	}
	return list(ctx, c, namespace)
}

func listWorkloads(ctx context.Context, c *clients, namespace string) []string {
	var names []string
	if list, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func listServices(ctx context.Context, c *clients, namespace string) []string {
	var names []string
	if list, err := c.core.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func listNamespaces(ctx context.Context, c *clients, _ string) []string {
	var names []string
	if list, err := c.core.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); err == nil {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func (p *program) completeWorkload(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.names(listWorkloads), cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeWorkloadThenService(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return p.completeServices(c, nil, word)
	}
	return p.completeWorkload(c, args, word)
}

func (p *program) completeServices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return p.names(listServices), cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeNamespaces(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return p.names(listNamespaces), cobra.ShellCompDirectiveNoFileComp
}

func (p *program) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	config, err := p.loader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
