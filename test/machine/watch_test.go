package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/invitation"
	"github.com/external-workload/controller/test/internal/netns"
)

// TestAWatchingMachineFollowsItsAddress changes the address of the machine, revokes its
// invitation, and gives it another one, while register --watch runs.
func TestAWatchingMachineFollowsItsAddress(t *testing.T) {
	c := newCluster(t, true)
	const first, second = "10.77.0.20", "10.77.0.21"
	c.must(netns.AddAddress(first + "/32"))
	kubeconfig := c.invite()
	core, _ := c.clients(c.config(kubeconfig))
	watching := c.startWatching(kubeconfig)
	c.eventually("the first address is registered", func() bool { return c.registeredAt() == first })

	c.must(netns.RemoveAddress(first + "/32"))
	c.must(netns.AddAddress(second + "/32"))
	c.eventually("the second address is registered", func() bool { return c.registeredAt() == second })

	c.must(c.core.CoreV1().ServiceAccounts(namespace).Delete(t.Context(), invitation.Account("vm-1"), metav1.DeleteOptions{}))
	c.eventually("the program says that the invitation was revoked", func() bool { return strings.Contains(watching.read(), "it was revoked") })
	c.eventually("the API server has forgotten the token", func() bool {
		_, err := core.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		return apierrors.IsUnauthorized(err)
	})
	c.must(netns.RemoveAddress(second + "/32"))
	c.must(netns.AddAddress(first + "/32"))
	c.invite() // writes the same file
	c.eventually("the first address is registered with the new invitation", func() bool { return c.registeredAt() == first })
	if got := strings.Count(watching.read(), "it was revoked"); got != 1 {
		t.Errorf("the program reports the revoked invitation %d times, want once:\n%s", got, watching.read())
	}
	c.must(watching.command.Process.Signal(syscall.SIGTERM))
	if err := watching.command.Wait(); err != nil {
		t.Errorf("the end after SIGTERM: %v", err)
	}
	c.must(netns.RemoveAddress(first + "/32"))
}

// registeredAt returns the address of vm-1, or empty.
func (c *cluster) registeredAt() string {
	c.Helper()
	for _, address := range c.workload("vm-1").Spec.WorkloadIPs {
		return address.IP
	}
	return ""
}

// watching is a running program.
type watching struct {
	*cluster
	command *exec.Cmd
	log     string
}

// startWatching starts register --watch or another command that keeps running.
func (c *cluster) startWatching(kubeconfig string, args ...string) *watching {
	c.Helper()
	w := &watching{cluster: c, log: filepath.Join(c.directory, "watch.log")}
	log, err := os.Create(w.log)
	c.must(err)
	if len(args) == 0 {
		args = []string{"register", "--watch", "--interval", "100ms", "--timeout", "100ms"}
	}
	w.command = exec.CommandContext(c.Context(), filepath.Join(os.Getenv(programsVariable), pluginName), append(args, "--kubeconfig", kubeconfig)...)
	w.command.Stdout, w.command.Stderr = log, log
	c.must(w.command.Start())
	c.must(log.Close())
	return w
}

func (w *watching) read() string {
	w.Helper()
	text, err := os.ReadFile(w.log)
	w.must(err)
	return string(text)
}
