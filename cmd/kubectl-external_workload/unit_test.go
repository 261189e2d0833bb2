package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/invitation"
)

// machineUserData is the part of the user data for cloud-init that a machine uses.
type machineUserData struct {
	Files []struct {
		Path        string `json:"path"`
		Permissions string `json:"permissions"`
		Content     string `json:"content"`
	} `json:"write_files"`
	Commands [][]string `json:"runcmd"`
}

func userData(t *testing.T) machineUserData {
	t.Helper()
	files := invitation.MachineFiles{Namespace: "shop", Workload: "vm-1", Kubeconfig: []byte("kind: Config\n")}
	text, err := files.CloudInit()
	if err != nil {
		t.Fatal(err)
	}
	var data machineUserData
	if err := yaml.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTheUnitCallsCommandsThatExist parses each command line of the systemd unit with
// the program's own commands.
func TestTheUnitCallsCommandsThatExist(t *testing.T) {
	data := userData(t)
	kubeconfig, unit := data.Files[0], data.Files[1]
	if kubeconfig.Permissions != "0600" {
		t.Errorf("%s has mode %s, want 0600", kubeconfig.Path, kubeconfig.Permissions)
	}
	for verb, setting := range map[string]string{"register": "ExecStart", "drain": "ExecStop"} {
		lines := settings(unit.Content, setting)
		if len(lines) != 1 {
			t.Fatalf("%d lines %s, want 1", len(lines), setting)
		}
		words := strings.Fields(lines[0])
		if words[0] != "/usr/local/bin/external-workload" {
			t.Errorf("%s runs %s, which docs/first-machine.md does not install", setting, words[0])
		}
		command, rest, err := newCommand("external-workload", streams{}).Find(words[1:])
		if err != nil || command.Name() != verb {
			t.Fatalf("%s calls %s (%v), want %s", setting, command.Name(), err, verb)
		}
		if err := command.ParseFlags(rest); err != nil {
			t.Fatalf("%s: %v", setting, err)
		}
		if err := command.ValidateArgs(command.Flags().Args()); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
		if got := command.Flag("kubeconfig").Value.String(); got != kubeconfig.Path {
			t.Errorf("%s reads %s, and the kubeconfig is %s", setting, got, kubeconfig.Path)
		}
	}
	name := unit.Path[strings.LastIndex(unit.Path, "/")+1:]
	if !slices.ContainsFunc(data.Commands, func(c []string) bool {
		return slices.Equal(c, []string{"systemctl", "enable", "--now", "--no-block", name})
	}) {
		t.Errorf("nothing enables %s: %v", name, data.Commands)
	}
}

// TestTheUnitLeavesTimeToDrain compares the time that systemd gives ExecStop with
// what drain takes at most.
func TestTheUnitLeavesTimeToDrain(t *testing.T) {
	drain, _, err := newCommand("external-workload", streams{}).Find([]string{"drain"})
	if err != nil {
		t.Fatal(err)
	}
	var longest time.Duration
	for _, flag := range []string{"timeout", "grace"} {
		value, err := drain.Flags().GetDuration(flag)
		if err != nil {
			t.Fatal(err)
		}
		longest += value
	}
	lines := settings(userData(t).Files[1].Content, "TimeoutStopSec")
	given, err := time.ParseDuration(strings.Replace(lines[0], "min", "m", 1))
	if err != nil || given < longest {
		t.Errorf("TimeoutStopSec is %v (%v), and drain takes up to %s", lines, err, longest)
	}
}

// TestTheServersOutliveTheDrain checks the order of the shutdown: systemd stops a unit
// before those after which it is started, and multi-user.target starts after the servers.
func TestTheServersOutliveTheDrain(t *testing.T) {
	unit := userData(t).Files[1].Content
	if after := settings(unit, "After"); !slices.ContainsFunc(after, func(units string) bool { return slices.Contains(strings.Fields(units), "multi-user.target") }) {
		t.Errorf("the unit is started after %v, so the servers of multi-user.target stop while it drains", after)
	}
}

// settings are the values of a setting of a unit file.
func settings(unit, name string) []string {
	var values []string
	for line := range strings.Lines(unit) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+"="); found {
			values = append(values, value)
		}
	}
	return values
}
