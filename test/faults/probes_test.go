package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// hostileServers and probingLimit are environment variables for a child process of this
// test: the servers to probe, and the memory limit of its container.
const (
	hostileServers = "FAULTS_HOSTILE_SERVERS"
	probingLimit   = "FAULTS_PROBING_LIMIT"
	// probingTime is the duration of the probing.
	probingTime = 15 * time.Second
	// restOfProgram is the other memory of a controller with 10,000 workloads.
	restOfProgram = 90 << 20
)

// probeHostileServers probes all servers in all ways with the maximum number of concurrent
// probes of the controller. Together they may use all of the memory for probes, since
// probes that were quick once may all hang the next time.
func probeHostileServers(servers string) error {
	limit, err := strconv.ParseInt(os.Getenv(probingLimit), 10, 64)
	if err != nil {
		return err
	}
	// Like the program.
	debug.SetMemoryLimit(limit * 9 / 10)
	rest := bytes.Repeat([]byte{1}, restOfProgram)
	specs, err := hostileSpecs(servers)
	if err != nil {
		return err
	}
	outcomes, err := probeAll(specs)
	fmt.Println(outcomes, len(rest)>>20, "MiB besides")
	if err != nil {
		return err
	}
	if outcomes[probe.Success] > 0 || outcomes[probe.Failure]+outcomes[probe.Timeout] == 0 {
		return fmt.Errorf("the servers were not as hostile as intended: %v", outcomes)
	}
	return nil
}

// probeAll probes with the controller's schedule, with each probe in many namespaces.
func probeAll(specs []*probe.Spec) (map[probe.Outcome]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), probingTime)
	defer cancel()
	prober := probe.NewProber(probe.AddressPolicy{AllowLoopback: true})
	byNamespace := map[string]*probe.Spec{}
	var mu sync.Mutex
	outcomes := map[probe.Outcome]int{}
	run := func(ctx context.Context, key cache.ObjectName, _ schedule.Run) (slow bool) {
		spec := byNamespace[key.Namespace]
		result := prober.Probe(ctx, spec, spec.Targets[0])
		mu.Lock()
		defer mu.Unlock()
		outcomes[result.Outcome]++
		return false
	}
	capacity := schedule.Capacity{Total: readiness.DefaultProbeMemory, Largest: probe.MaxCost}
	probes, err := schedule.New(clock.RealClock{}, capacity, run)
	if err != nil {
		return nil, err
	}
	for i := range 50 * len(specs) {
		byNamespace[fmt.Sprint(i)] = specs[i%len(specs)]
	}
	for namespace, spec := range byNamespace {
		for i := range 5 {
			key := cache.NewObjectName(namespace, fmt.Sprint(i))
			probes.Set(key, schedule.Plan{Period: time.Second, Cost: probe.Cost(spec)})
		}
	}
	probes.Run(ctx)
	return outcomes, nil
}

func hostileSpecs(servers string) (specs []*probe.Spec, err error) {
	for address := range strings.SplitSeq(servers, ",") {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		for _, handler := range []string{`"httpGet":{"port":%d}`, `"httpGet":{"port":%d,"scheme":"HTTPS"}`, `"httpGet":{"port":%d,"protocol":"HTTP2"}`, `"grpc":{"port":%d}`, `"grpc":{"port":%d,"mode":"TLS"}`} {
			workload := &v1beta1.ExternalWorkload{Spec: v1beta1.ExternalWorkloadSpec{WorkloadIPs: []v1beta1.WorkloadIP{{IP: at.Addr().String()}}}}
			annotation := fmt.Sprintf(`{"timeoutSeconds":4,`+handler+`}`, at.Port())
			spec, err := probe.Decode(annotation, workload, probe.Options{Addresses: probe.AddressPolicy{AllowLoopback: true}})
			if err != nil {
				return nil, err
			}
			specs = append(specs, spec)
		}
	}
	return specs, nil
}

// hostile starts a server that sends unsolicited data and keeps the connection open.
func hostile(t *testing.T, say []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = connection.Close() }()
				if _, err := connection.Write(say); err == nil {
					_, _ = io.Copy(io.Discard, connection)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// tinyFields returns an unfinished header of thousands of small fields.
func tinyFields() []byte {
	var text bytes.Buffer
	text.WriteString("HTTP/1.1 200 OK\r\n")
	for i := 0; text.Len() < 900<<10; i++ {
		fmt.Fprintf(&text, "%x:\r\n", i)
	}
	return text.Bytes()
}

// unfinishedHandshake returns a TLS message with a length of 64 KiB that stops early.
func unfinishedHandshake() []byte {
	message := append([]byte{2, 0, 0xff, 0xff}, make([]byte, 24000)...)
	record := append([]byte{22, 3, 3, 0x3f, 0xff}, message[:0x3fff]...)
	rest := message[0x3fff:]
	return append(append(record, 22, 3, 3, byte(len(rest)>>8), byte(len(rest))), rest...)
}

// unfinishedFrame returns HTTP/2 settings, an unfinished header, and a frame of the maximum
// length.
func unfinishedFrame() []byte {
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	// A literal field with a value length of 16,000 bytes.
	field := append([]byte{0x88, 0x00, 1, 'x', 0x7f, 0x81, 0x7c}, bytes.Repeat([]byte{'y'}, 15000)...)
	header := append([]byte{0, byte(len(field) >> 8), byte(len(field)), 1, 0, 0, 0, 0, 1}, field...)
	return append(append(settings, header...), append([]byte{0, 0x40, 0, 9, 0, 0, 0, 0, 1}, make([]byte, 16<<10-1)...)...)
}

// Fault: the maximum number of probes, all of servers that send thousands of header fields,
// unfinished TLS messages, unfinished HTTP/2 frames, or nothing.
// Promise: the program stays within the chart's memory limit.
func TestHostileServersKillNoPod(t *testing.T) {
	t.Parallel()
	// It needs no control plane.
	w := &world{T: t}
	group, limit := w.container(), w.chartLimit()
	servers := []string{hostile(t, nil), hostile(t, tinyFields()), hostile(t, unfinishedHandshake()), hostile(t, unfinishedFrame())}
	arguments := append(group.Prefix(), os.Args[0])
	command := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
	command.Env = append(os.Environ(), hostileServers+"="+strings.Join(servers, ","), probingLimit+"="+strconv.FormatInt(limit, 10))
	output, err := command.CombinedOutput()
	peak, peakErr := group.Peak()
	kills, killsErr := group.Kills()
	if peakErr != nil || killsErr != nil {
		t.Fatal(peakErr, killsErr)
	}
	t.Logf("at most %d of %d MiB; %s", peak>>20, limit>>20, bytes.TrimSpace(output))
	if err != nil || kills > 0 {
		t.Errorf("the prober ended with %v, and the kernel OOM-killed %d processes", err, kills)
	}
}
