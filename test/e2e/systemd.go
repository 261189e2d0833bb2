package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/external-workload/controller/test/internal/process"
)

const (
	systemd = "/usr/lib/systemd/systemd"
	// bootTimeout is far above what a machine without devices needs.
	bootTimeout = 30 * time.Second
)

// serverUnit is the server of the machine, which knows nothing of its registration.
const serverUnit = `[Unit]
Description=Server

[Service]
ExecStart=/usr/local/bin/peer serve %s %s

[Install]
WantedBy=multi-user.target
`

// logUnits is a drop-in for every service: the machine has no journal.
const logUnits = `[Service]
StandardOutput=append:/var/log/machine-units.log
StandardError=append:/var/log/machine-units.log
`

// A systemdMachine has systemd as its first process. hack/e2e/machine.sh describes its
// namespaces and its root.
type systemdMachine struct {
	cluster *cluster
	root    string
	running *process.Process
}

// bootMachine boots a machine that is not registered yet: one with systemd, or else
// one that runs the commands of its unit.
func (c *cluster) bootMachine(ctx context.Context, root string) (invitedMachine, error) {
	m := &systemdMachine{cluster: c, root: root}
	err := m.firstBoot(ctx)
	if err == nil || ctx.Err() != nil {
		return m, err
	}
	c.note("without systemd, by the commands of its unit: %v", err)
	instead := &unitCommands{cluster: c, root: root}
	return instead, instead.boot(ctx)
}

// firstBoot makes the machine's disk and boots from it.
func (m *systemdMachine) firstBoot(ctx context.Context) error {
	if _, err := os.Stat(systemd); err != nil {
		return err
	}
	units := filepath.Join(m.root, "etc", "systemd", "system")
	programs := filepath.Join(m.root, "local", "bin")
	server := fmt.Appendf(nil, serverUnit, registeredVM.name, registeredVM.at())
	if err := errors.Join(
		os.MkdirAll(filepath.Join(units, "multi-user.target.wants"), 0o755),
		os.MkdirAll(filepath.Join(units, "service.d"), 0o755),
		os.MkdirAll(programs, 0o755),
		os.WriteFile(filepath.Join(units, "server.service"), server, 0o644),
		os.Symlink("/etc/systemd/system/server.service", filepath.Join(units, "multi-user.target.wants", "server.service")),
		os.WriteFile(filepath.Join(units, "service.d", "log.conf"), []byte(logUnits), 0o644),
		os.Link(m.cluster.bin("peer"), filepath.Join(programs, "peer")),
		os.Link(m.cluster.bin("kubectl-external_workload"), filepath.Join(programs, "external-workload")),
	); err != nil {
		return err
	}
	return m.boot(ctx)
}

func (m *systemdMachine) boot(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	c := m.cluster
	m.running, err = c.start(ctx, "machine", registeredVM.answers, c.inVM(
		filepath.Join(c.repository, "hack", "e2e", "machine.sh"), m.root, filepath.Join(c.work, "logs"), c.cgroup+"/machine"))
	return err
}

func (m *systemdMachine) install(ctx context.Context, data userData) error {
	if err := data.write(m.root); err != nil {
		return err
	}
	for _, command := range data.Commands {
		if err := m.command(ctx, command...); err != nil {
			return err
		}
	}
	return nil
}

func (m *systemdMachine) shutDown(ctx context.Context) error {
	if err := m.command(ctx, "systemctl", "poweroff"); err != nil {
		return err
	}
	select {
	case <-m.running.Exited():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// command runs a program on the machine. The process that was started is unshare, whose
// child is the first process of the machine.
func (m *systemdMachine) command(ctx context.Context, command ...string) error {
	id := strconv.Itoa(m.running.Pid())
	_, err := m.cluster.command(ctx, "nsenter", append([]string{
		"--target=" + id, "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid=/proc/" + id + "/ns/pid_for_children",
	}, command...)...)
	return err
}
