package traefik

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"testing"

	"sigs.k8s.io/gateway-api/conformance/utils/suite"

	"github.com/external-workload/controller/test/internal/controlplane"
	"github.com/external-workload/controller/test/internal/netns"
	"github.com/external-workload/controller/test/internal/process"
)

// echoPort is the port of the conformance tests' echo server.
const echoPort = 3000

// startEcho starts an echo server of the conformance tests, as the numbered backend, and
// returns its name and address. It listens on every address, so each one has a network
// namespace of its own: a request to another address does not reach it.
func startEcho(t *testing.T, number int) machine {
	t.Helper()
	m := machine{name: strconv.Itoa(number), address: fmt.Sprintf("10.78.%d.2", number), ready: true}
	device := "echo" + m.name
	started, err := process.Start(t.Context(), process.Spec{
		Name:    echoName,
		Command: []string{"unshare", "--net", program(echoName)},
		Environment: []string{
			"POD_NAME=" + suite.InfraBackendServiceNameV1 + "-" + m.name,
			"NAMESPACE=" + suite.InfrastructureNamespace,
		},
		Log: filepath.Join(t.ArtifactDir(), device+".log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.Kill)
	connected := func() bool {
		err := netns.Connect(device, fmt.Sprintf("10.78.%d.1/24", number), started.Pid(), m.address+"/24")
		if err != nil && !errors.Is(err, netns.ErrSameNamespace) {
			t.Fatal(err)
		}
		return err == nil
	}
	healthy := controlplane.Healthy("http://" + net.JoinHostPort(m.address, strconv.Itoa(echoPort)) + "/health")
	waitFor(t, "the network namespace of "+device, connected)
	waitFor(t, "an answer of "+device, func() bool { return healthy(t.Context()) == nil })
	return m
}
