package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/external-workload/controller/test/internal/process"
)

// unitCommands is a machine without systemd: it runs the commands of the unit in the
// same order.
type unitCommands struct {
	cluster *cluster
	root    string
	// start and stop are the command lines of the unit, once it is installed.
	start, stop         []string
	server, registering *process.Process
}

func (m *unitCommands) boot(ctx context.Context) (err error) {
	if m.server, err = m.cluster.startVM(ctx, registeredVM); err != nil || m.start == nil {
		return err
	}
	return m.register(ctx)
}

func (m *unitCommands) register(ctx context.Context) (err error) {
	m.registering, err = m.cluster.start(ctx, "machine-register", nil, m.cluster.inVM(m.start...))
	return err
}

func (m *unitCommands) install(ctx context.Context, data userData) error {
	if err := data.write(m.root); err != nil {
		return err
	}
	kubeconfig, unit := data.Files[0], data.Files[1]
	here := strings.NewReplacer(
		"/usr/local/bin/external-workload", m.cluster.bin("kubectl-external_workload"),
		kubeconfig.Path, filepath.Join(m.root, kubeconfig.Path))
	for _, line := range []struct {
		setting string
		words   *[]string
	}{{"ExecStart", &m.start}, {"ExecStop", &m.stop}} {
		_, after, found := strings.Cut(unit.Content, "\n"+line.setting+"=")
		if !found {
			return fmt.Errorf("the unit has no %s", line.setting)
		}
		text, _, _ := strings.Cut(after, "\n")
		*line.words = strings.Fields(here.Replace(text))
	}
	return m.register(ctx)
}

// shutDown ends the server last, as the order of the unit asks for.
func (m *unitCommands) shutDown(ctx context.Context) error {
	stop := m.cluster.inVM(m.stop...)
	_, err := m.cluster.command(ctx, stop[0], stop[1:]...)
	err = errors.Join(err, m.registering.Stop())
	m.server.Kill()
	return err
}
