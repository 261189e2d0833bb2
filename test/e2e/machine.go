package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

// registered is the Service of the machine that registers itself, and the machine.
const registered = "registered"

// registeredVM is the machine's server. Its network has more addresses, and the route to
// the API server has another one: the machine chooses the one that the invitation permits.
var registeredVM = vm{name: registered, address: "192.168.77.13", port: 8081}

// stayingVM stays in the Service while the machine shuts down.
var stayingVM = vm{name: registered + "-b", address: "192.168.77.12", port: 8083}

// registeredManifest is what the administrator knows of the machine: all but its address.
const registeredManifest = `apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata:
  name: %[1]s
  namespace: %[2]s
  labels: {app: %[1]s}
  annotations:
    external-workload.io/probe: '{"tcpSocket": {"port": "http"}, "periodSeconds": 1}'
spec:
  meshTLS: {identity: %[1]s, serverName: %[1]s}
  ports: [{name: http, port: %[3]d}]
`

// An invitedMachine has a server and is invited. It can be switched off and on.
type invitedMachine interface {
	// boot returns when the server answers.
	boot(ctx context.Context) error
	// install does what cloud-init does with the user data.
	install(ctx context.Context, data userData) error
	// shutDown returns when the machine is off.
	shutDown(ctx context.Context) error
}

// userData is the part of the user data for cloud-init that invite prints.
type userData struct {
	Files []struct {
		Path        string `json:"path"`
		Permissions string `json:"permissions"`
		Content     string `json:"content"`
	} `json:"write_files"`
	Commands [][]string `json:"runcmd"`
}

// machineRegisters invites a machine, which registers itself by the unit of its user
// data. It shuts down and boots again under load, and no request is lost, since another
// machine stays.
func machineRegisters(ctx context.Context, c *cluster) error {
	url, err := c.createService(ctx, registered, nil)
	if err != nil {
		return err
	}
	if _, err := c.startWorkload(ctx, stayingVM, map[string]string{"app": registered}); err != nil {
		return err
	}
	root := filepath.Join(c.work, "machine")
	m, err := c.bootMachine(ctx, root)
	if err != nil {
		return err
	}
	data, err := c.invite(ctx)
	if err != nil {
		return err
	}
	if err := m.install(ctx, data); err != nil {
		return err
	}
	if err := errors.Join(waitAnswer(ctx, url, registeredVM.name), waitAnswer(ctx, url, stayingVM.name)); err != nil {
		return fmt.Errorf("after the first boot: %w", err)
	}
	kubeconfig := data.Files[0]
	renewed, err := waitRenewed(ctx, []byte(kubeconfig.Content), filepath.Join(root, kubeconfig.Path))
	if err != nil {
		return err
	}
	if err := c.reboot(ctx, m, url); err != nil {
		return err
	}
	if now, err := os.ReadFile(filepath.Join(root, kubeconfig.Path)); err != nil || string(now) != renewed {
		return errors.Join(errors.New("the machine has another credential after the second boot"), err)
	}
	return c.removeMachine(ctx)
}

// invite is what the administrator does, as docs/first-machine.md says.
func (c *cluster) invite(ctx context.Context) (data userData, err error) {
	manifest := filepath.Join(c.work, registered+".yaml")
	text := fmt.Appendf(nil, registeredManifest, registered, namespace, registeredVM.port)
	if err := os.WriteFile(manifest, text, 0o600); err != nil {
		return data, err
	}
	path := filepath.Join(c.work, registered+".user-data")
	// kubectl finds its plugin on the path.
	if _, err := c.command(ctx, "sh", "-c", `PATH="$1:$PATH"; umask 077
		kubectl external-workload invite "$2" -n "$3" -f "$4" --cidr "$5" -o cloud-init >"$6"`,
		"invite", filepath.Join(c.work, "bin"), registered, namespace, manifest, registeredVM.address+"/32", path); err != nil {
		return data, err
	}
	if text, err = os.ReadFile(path); err != nil {
		return data, err
	}
	if err := yaml.Unmarshal(text, &data); err != nil {
		return data, err
	}
	if len(data.Files) != 2 || len(data.Commands) == 0 {
		return data, fmt.Errorf("the user data has %d files and %d commands, want the kubeconfig, the unit and what enables it", len(data.Files), len(data.Commands))
	}
	return data, nil
}

// write writes the files below the root of a machine.
func (d userData) write(root string) error {
	for _, file := range d.Files {
		var mode os.FileMode
		if _, err := fmt.Sscanf(file.Permissions, "%o", &mode); err != nil {
			return fmt.Errorf("reading the mode of %s: %w", file.Path, err)
		}
		path := filepath.Join(root, file.Path)
		if err := errors.Join(
			os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(file.Content), mode),
		); err != nil {
			return err
		}
	}
	return nil
}

// waitRenewed waits until the machine has replaced the token of its invitation, and
// gives its kubeconfig.
func waitRenewed(ctx context.Context, invited []byte, path string) (kubeconfig string, err error) {
	before, err := tokenOf(invited)
	if err != nil {
		return "", err
	}
	return kubeconfig, until(ctx, func(context.Context) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		now, err := tokenOf(text)
		if err == nil && now.Lifetime() <= before.Lifetime() {
			err = fmt.Errorf("the token of the machine lives for %s, that of the invitation for %s", now.Lifetime(), before.Lifetime())
		}
		kubeconfig = string(text)
		return err
	})
}

func tokenOf(kubeconfig []byte) (invitation.Token, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return invitation.Token{}, err
	}
	return invitation.ParseToken(config.BearerToken)
}

// reboot shuts the machine down and boots it again, under load.
func (c *cluster) reboot(ctx context.Context, m invitedMachine, url string) error {
	var off, on time.Duration
	all, err := c.losesNothing(ctx, registered, url, func(l *load) error {
		begin := time.Now()
		if err := m.shutDown(ctx); err != nil {
			return fmt.Errorf("shutting down: %w", err)
		}
		off = time.Since(begin)
		if err := c.expectDrained(ctx); err != nil {
			return fmt.Errorf("after the shutdown: %w", err)
		}
		begin = time.Now()
		if err := m.boot(ctx); err != nil {
			return fmt.Errorf("booting again: %w", err)
		}
		err := l.waitReached(ctx, registeredVM.name, begin)
		on = time.Since(begin)
		return err
	})
	if err != nil {
		return err
	}
	c.note("%.1fs for the shutdown with its drain, %.1fs from power-on to the first request; %d requests, none lost", off.Seconds(), on.Seconds(), all)
	return nil
}

// expectDrained expects that the machine has drained itself, and that nothing has
// ended its invitation.
func (c *cluster) expectDrained(ctx context.Context) error {
	w, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Get(ctx, registered, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !w.DrainedByMachine() {
		return fmt.Errorf("the machine has not drained itself: its annotation %s is %q", v1beta1.DrainAnnotation, w.Annotations[v1beta1.DrainAnnotation])
	}
	return c.waitPublished(ctx, registered, []string{stayingVM.address})
}

// removeMachine is what the administrator does, and leaves nothing that a later stage
// would see as unhealthy.
func (c *cluster) removeMachine(ctx context.Context) error {
	if _, err := c.command(ctx, c.bin("kubectl-external_workload"), "drain", registered, "-n", namespace, "--delete", "--grace=0s"); err != nil {
		return err
	}
	return c.waitPublished(ctx, registered, []string{stayingVM.address})
}
