package machine

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/test/internal/netns"
)

// TestTheUserDataRegistersAndDrains runs the command lines of the systemd unit like systemd on
// the start, on the stop and on the next start of a machine.
func TestTheUserDataRegistersAndDrains(t *testing.T) {
	c := newCluster(t, true)
	const address = "10.77.0.30"
	c.must(netns.AddAddress(address + "/32"))
	defer func() { c.must(netns.RemoveAddress(address + "/32")) }()
	kubeconfig, start, stop := c.unit()

	watching := c.startWatching(kubeconfig, start...)
	c.eventually("the machine is registered", func() bool { return c.registeredAt() == address })
	c.must(watching.command.Process.Signal(syscall.SIGTERM))
	c.must(watching.command.Wait())
	c.expect(0, "externalworkload/vm-1 draining", kubeconfig, append(stop, "--grace", "0s")...)

	watching = c.startWatching(kubeconfig, start...)
	c.eventually("the drain has ended", func() bool { w := c.workload("vm-1"); return !w.Drained() })
	c.must(watching.command.Process.Signal(syscall.SIGTERM))
	c.must(watching.command.Wait())
}

// unit invites vm-1 with user data for cloud-init, and returns the kubeconfig and the other
// arguments of the unit's ExecStart and ExecStop.
func (c *cluster) unit() (kubeconfig string, start, stop []string) {
	c.Helper()
	var data struct {
		Files []struct {
			Path    string `json:"path"`
			Content string `json:"content"`
		} `json:"write_files"`
	}
	text, err := os.ReadFile(c.invite("-o", "cloud-init"))
	c.must(err)
	c.must(yaml.Unmarshal(text, &data))
	arguments := func(setting string) []string {
		_, after, _ := strings.Cut(data.Files[1].Content, "\n"+setting+"=")
		line, _, _ := strings.Cut(after, "\n")
		words := strings.Fields(line)
		if len(words) < 4 || words[len(words)-1] != data.Files[0].Path {
			c.Fatalf("%s is %q, want a command with the kubeconfig %s last", setting, line, data.Files[0].Path)
		}
		return words[1 : len(words)-2]
	}
	return c.file("etc.kubeconfig", data.Files[0].Content), arguments("ExecStart"), arguments("ExecStop")
}
