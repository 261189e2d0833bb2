package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	loadWorkloads = 10000
	loadListeners = 50
	loadCreators  = 32
	// loadSettle is the time until every workload has its first result and status.
	loadSettle  = 2 * time.Minute
	loadMeasure = 3 * time.Minute
)

// BenchmarkReadinessOfTenThousand probes 10,000 workloads every 10 s with a real API server
// and reports the cost in the steady state. The listeners are in the same process, so the CPU
// time includes both ends of each probe. It takes about six minutes for each kind:
//
//	go test -run none -bench Readiness -benchtime 1x -timeout 30m ./integration
func BenchmarkReadinessOfTenThousand(b *testing.B) {
	for _, kind := range []struct {
		name    string
		targets func(*testing.B) []string
	}{{"tcp", tcpTargets}, {"http", httpTargets}, {"dropped", droppedTargets}} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				measureLoad(b, kind.targets(b))
			}
		})
	}
}

func measureLoad(b *testing.B, probes []string) {
	cluster := startCluster(b, nil)
	createLoad(b, cluster, probes)
	observer := &loadObserver{}
	cluster.runController(b, observer)
	awaitTimer(b, loadSettle)

	settleWrites := observer.writes.Swap(0)
	observer.take()
	cpu, begin := processorTime(b), time.Now()
	awaitTimer(b, loadMeasure)
	took := time.Since(begin)
	used := processorTime(b) - cpu
	late, outcomes := observer.take()
	slices.Sort(late)

	b.ReportMetric(used.Seconds()/took.Seconds(), "cores")
	b.ReportMetric(float64(residentBytes(b))/(1<<20), "MiB-resident")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	b.ReportMetric(float64(len(late))/took.Seconds(), "probes/s")
	b.ReportMetric(float64(settleWrites), "first-writes")
	b.ReportMetric(float64(observer.writes.Load())/took.Minutes(), "writes/min")
	if len(late) > 0 {
		b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "late-p50-ms")
		b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "late-p99-ms")
		b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "late-max-ms")
	}
	b.ReportMetric(0, "ns/op")
	b.Logf("outcomes of probes: %v", outcomes)
}

// createLoad creates the workloads, with each probe in turn.
func createLoad(b *testing.B, cluster *readinessCluster, probes []string) {
	b.Helper()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(loadCreators)
	for i := range loadWorkloads {
		group.Go(func() error {
			created := readinessWorkload(fmt.Sprintf("vm-%05d", i), map[string]string{v1beta1.ProbeAnnotation: probes[i%len(probes)]})
			_, err := cluster.client.WorkloadV1beta1().ExternalWorkloads("default").Create(ctx, created, metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// loadListener listens on loopback until the benchmark's part ends.
func loadListener(b *testing.B) net.Listener {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	return listener
}

func tcpTargets(b *testing.B) (probes []string) {
	for range loadListeners {
		listener := loadListener(b)
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				_ = connection.Close()
			}
		}()
		probes = append(probes, fmt.Sprintf(`{"tcpSocket":{"host":"127.0.0.1","port":%d}}`, port(listener.Addr())))
	}
	return probes
}

func httpTargets(b *testing.B) (probes []string) {
	for range loadListeners {
		listener := loadListener(b)
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		b.Cleanup(func() { _ = server.Close() })
		probes = append(probes, fmt.Sprintf(`{"httpGet":{"host":"127.0.0.1","port":%d}}`, port(listener.Addr())))
	}
	return probes
}

// droppedTargets are listeners with full queues: the kernel drops packets of new
// connections, like a firewall.
func droppedTargets(b *testing.B) (probes []string) {
	b.Helper()
	for range loadListeners {
		descriptor, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = syscall.Close(descriptor) })
		if err := syscall.Bind(descriptor, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Listen(descriptor, 0); err != nil {
			b.Fatal(err)
		}
		name, err := syscall.Getsockname(descriptor)
		if err != nil {
			b.Fatal(err)
		}
		at := name.(*syscall.SockaddrInet4).Port
		for range 4 {
			// The queue is full when one of these is not answered.
			if connection, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", at), 100*time.Millisecond); err == nil {
				b.Cleanup(func() { _ = connection.Close() })
			}
		}
		probes = append(probes, fmt.Sprintf(`{"tcpSocket":{"host":"127.0.0.1","port":%d}}`, at))
	}
	return probes
}

func port(address net.Addr) int { return address.(*net.TCPAddr).Port }

// awaitTimer waits; this benchmark measures time itself.
func awaitTimer(b *testing.B, d time.Duration) {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func residentBytes(b *testing.B) int {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// loadObserver counts writes and keeps the lateness of each probe.
type loadObserver struct {
	unobservedReadiness
	writes atomic.Int64

	mu       sync.Mutex
	late     []time.Duration
	outcomes map[string]int
}

func (o *loadObserver) StatusWritten(string) { o.writes.Add(1) }

func (o *loadObserver) Probed(_, outcome string, _, late time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late = append(o.late, late)
	if o.outcomes == nil {
		o.outcomes = map[string]int{}
	}
	o.outcomes[outcome]++
}

func (o *loadObserver) take() (late []time.Duration, outcomes map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	late, outcomes, o.late, o.outcomes = o.late, o.outcomes, nil, nil
	return late, outcomes
}
