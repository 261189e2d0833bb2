package integration

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/faults"
)

// inOwnNetwork is set in the process with its own network namespace.
const inOwnNetwork = "INTEGRATION_IN_OWN_NETWORK"

// ownNetwork are the commands that set up the network: addresses for machines, at which the
// process listens, and a range that drops all packets.
var ownNetwork = []string{
	"link set lo up",
	"addr add 10.77.0.1/32 dev lo", "addr add 10.77.0.2/32 dev lo", "addr add 10.77.0.3/32 dev lo", "addr add 10.77.0.4/32 dev lo",
	"addr add 10.77.0.9/32 dev lo",
	"addr add fd77::1/128 dev lo nodad",
	"link add drops type bridge", "link set drops up", "addr add 10.78.0.1/16 dev drops",
}

// TestAddressIsReadyOnlyWhereItsProbePassed changes addresses of probed machines and checks
// each write of a slice. An EndpointSlice cannot have loopback addresses, so the test runs in
// a network namespace with other addresses.
func TestAddressIsReadyOnlyWhereItsProbePassed(t *testing.T) {
	if os.Getenv(inOwnNetwork) == "" {
		runInOwnNetwork(t)
		return
	}
	for _, command := range ownNetwork {
		if output, err := exec.CommandContext(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", command, err, output)
		}
	}
	e := startWired(t, nil)
	for name, test := range map[string]func(*movingSite){
		"a machine that moves to a dead address":                     (*movingSite).testDeadAddress,
		"a machine that moves to an address that answers later":      (*movingSite).testLaterAddress,
		"four machines that move to dead addresses together":         (*movingSite).testFourDeadAddresses,
		"a machine that moves to an address that must not be probed": (*movingSite).testRefusedAddress,
		"a dead IPv6 address and an IPv4 address that answers":       (*movingSite).testDeadIPv6,
		"a dead IPv4 address before an IPv6 address that answers":    (*movingSite).testDeadIPv4,
	} {
		t.Run(name, func(t *testing.T) {
			s := &movingSite{eventSite: e.newSite(t)}
			e.run(s.eventSite, func(config *readiness.Config) {
				config.ProbeLoopback, config.ProbeAllowHost = false, false
				config.ProbeDeny = []netip.Prefix{netip.MustParsePrefix("10.78.128.0/17")}
			})
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			var err error
			if s.history, err = faults.Record(ctx, e.AdminConfig(), s.namespace); err != nil {
				t.Fatal(err)
			}
			test(s)
		})
	}
}

// runInOwnNetwork runs the test in a child process.
func runInOwnNetwork(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("left out: there is no ip command:", err)
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), inOwnNetwork+"=yes")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Skip("left out: the kernel permits no network namespace:", err)
	}
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, output.String())
	}
	if !strings.Contains(output.String(), "--- PASS: "+t.Name()+" ") {
		t.Fatalf("the test did not run there:\n%s", output.String())
	}
}

// movingSite is a namespace whose slices are watched.
type movingSite struct {
	*eventSite
	history *faults.History
}

// probed creates a workload that is probed at its port 8080.
func (s *movingSite) probed(name string, addresses ...string) {
	s.t.Helper()
	s.createWorkload(name, build.IPs(addresses...),
		build.Annotation(v1beta1.ProbeAnnotation, `{"tcpSocket":{"port":8080},"periodSeconds":1,"failureThreshold":2}`))
}

// serves listens on port 8080 of an address.
func (s *movingSite) serves(address string) net.Listener {
	s.t.Helper()
	return s.listener(net.JoinHostPort(address, "8080"))
}

// neverReady fails the test if any write so far published an address as ready.
func (s *movingSite) neverReady(addresses ...string) {
	s.t.Helper()
	if err := s.history.CatchUp(s.t.Context(), s.core.DiscoveryV1(), s.namespace); err != nil {
		s.t.Fatal(err)
	}
	if s.history.Len() == 0 {
		s.t.Fatal("no write was seen")
	}
	for _, write := range s.history.Since(0) {
		if write.After == nil {
			continue
		}
		for i := range write.After.Endpoints {
			endpoint := &write.After.Endpoints[i]
			if deref(endpoint.Conditions.Ready) && slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(endpoint.Addresses, a) }) {
				s.t.Errorf("it was published ready at an address that has not answered: %s", describe(write))
			}
		}
	}
}

func (s *movingSite) testDeadAddress() {
	s.serves("10.77.0.1")
	s.service("web")
	s.probed("a", "10.77.0.1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1")
	s.editAgain("a", moveTo("10.78.0.9"))
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.78.0.9 not ready")
	s.awaitCondition("a", "Ready False ProbeFailed")
	s.neverReady("10.78.0.9")
}

func (s *movingSite) testLaterAddress() {
	s.serves("10.77.0.1")
	s.service("web")
	s.probed("a", "10.77.0.1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1")
	s.editAgain("a", moveTo("10.77.0.2"))
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.2 not ready")
	s.neverReady("10.77.0.2")
	s.serves("10.77.0.2")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.2")
}

// testFourDeadAddresses has enough failures at once for a hold.
func (s *movingSite) testFourDeadAddresses() {
	s.service("web")
	var before, after, dead []string
	for i := 1; i <= 4; i++ {
		name, address := fmt.Sprint("vm-", i), fmt.Sprint("10.77.0.", i)
		s.serves(address)
		s.probed(name, address)
		dead = append(dead, fmt.Sprint("10.78.0.1", i))
		before = append(before, " | "+name+" "+address)
		after = append(after, " | "+name+" "+dead[i-1]+" not ready")
	}
	s.waitFor("web", "IPv4 http:8080/TCP"+strings.Join(before, ""))
	for i, address := range dead {
		s.editAgain(fmt.Sprint("vm-", i+1), moveTo(address))
	}
	s.waitFor("web", "IPv4 http:8080/TCP"+strings.Join(after, ""))
	for i := range dead {
		s.awaitCondition(fmt.Sprint("vm-", i+1), "Ready False ProbeFailed")
	}
	s.waitFor("web", "IPv4 http:8080/TCP"+strings.Join(after, ""))
	s.neverReady(dead...)
}

func (s *movingSite) testRefusedAddress() {
	s.serves("10.77.0.1")
	s.service("web")
	s.probed("a", "10.77.0.1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1")
	s.editAgain("a", moveTo("10.78.128.9"))
	s.awaitCondition("a", "Accepted False ProbeAddressRefused")
	s.awaitCondition("a", "Ready False")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.78.128.9 not ready")
	s.neverReady("10.78.128.9")
}

func (s *movingSite) testDeadIPv6() {
	s.service("web", build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol))
	s.serves("10.77.0.1")
	second := s.serves("fd77::1")
	s.probed("a", "10.77.0.1", "fd77::1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1", "IPv6 http:8080/TCP | a fd77::1")
	closeListener(s.t.(*testing.T), second)
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1", "IPv6 http:8080/TCP | a fd77::1 not ready")
	s.serves("fd77::1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.1", "IPv6 http:8080/TCP | a fd77::1")
}

// testDeadIPv4: one family never answers.
func (s *movingSite) testDeadIPv4() {
	s.service("web", build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol))
	s.serves("fd77::1")
	s.probed("a", "10.77.0.9", "fd77::1")
	s.waitFor("web", "IPv4 http:8080/TCP | a 10.77.0.9 not ready", "IPv6 http:8080/TCP | a fd77::1")
	s.awaitCondition("a", "ReadyIPv4 False ProbeFailed")
	s.neverReady("10.77.0.9")
}
