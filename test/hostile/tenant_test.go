package hostile

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	machines = 20
	// period is the period of the neighbour's probes, and lateBy the maximum lateness of one.
	period = time.Second
	lateBy = 2 * time.Second
	// underAttack is the duration of the attack.
	underAttack = 40 * time.Second
	// flips is the number of changes of readiness whose latency is measured.
	flips = 40
	// fightLimit is the maximum number of rounds of two writers of Ready in underAttack.
	fightLimit = 40
)

func TestATenantWithTheRoleEditHurtsNobodyElse(t *testing.T) {
	c := newCluster(t)
	neighbours := c.newNeighbours()
	quiet := c.flipLatency()
	pid := c.controller.Pid()

	serveHostile(t)
	canary := c.canary()
	c.makeAttacks()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var rounds atomic.Int64
	var attacking errgroup.Group
	attacking.Go(func() error { return c.touch(ctx) })
	attacking.Go(func() error { return c.fight(ctx, &rounds) })

	began := time.Now()
	var beside []time.Duration
	for time.Since(began) < underAttack {
		beside = append(beside, c.flipLatency())
		c.neighboursStayReady()
	}
	stop()
	c.must(attacking.Wait())

	var gap time.Duration
	for _, m := range neighbours {
		gap = max(gap, m.longestGap(began))
	}
	slices.Sort(beside)
	usage, err := c.controller.Usage()
	c.must(err)
	t.Logf("median of a flip of the neighbour: quiet %s, under attack %s; longest time between two probes %s with a period of %s; resident %d MiB, peak %d MiB; %d rounds of two writers",
		quiet, beside[len(beside)/2], gap, period, usage.Resident>>20, usage.Peak>>20, rounds.Load())

	if gap > period+lateBy {
		t.Errorf("a probe of the neighbour was %s late", gap-period)
	}
	if beside[len(beside)/2] > 3*quiet {
		t.Errorf("a flip of the neighbour takes %s under attack, more than 3 times the quiet %s", beside[len(beside)/2], quiet)
	}
	if got := rounds.Load(); got > fightLimit {
		t.Errorf("two writers of Ready went through %d rounds, want at most %d", got, fightLimit)
	}
	if got := canary.Load(); got > 0 {
		t.Errorf("the controller opened %d connections to a Service for the tenant", got)
	}
	c.survived(pid)
	c.nothingOfTheTenantIsReady()
	c.nothingRemoteIsRepeated()
}

// newNeighbours starts the neighbour's probed machines and waits until they are
// published ready.
func (c *cluster) newNeighbours() []*machine {
	c.Helper()
	c.must(createService(c.Context(), c.kube, neighbourNamespace, "web"))
	c.must(createService(c.Context(), c.kube, neighbourNamespace, "flips"))
	c.must(createWorkload(c.Context(), c.workloads, neighbourNamespace, "flips", "flips", "10.77.1.1", 80, nil))
	var all []*machine
	for i := range machines {
		ip := fmt.Sprintf("10.77.0.%d", i+1)
		all = append(all, serveMachine(c.T, ip+":8080"))
		c.must(createWorkload(c.Context(), c.workloads, neighbourNamespace, machineName(i), "web", ip, 8080, probe(`{"httpGet":{"port":"http"},"periodSeconds":1}`)))
	}
	c.eventually(time.Minute, "all machines of the neighbour are ready", func() bool { return c.readyNeighbours() == machines })
	return all
}

func machineName(i int) string { return fmt.Sprintf("web-%d", i) }

// readyNeighbours counts the neighbour's machines that are published ready.
func (c *cluster) readyNeighbours() int {
	c.Helper()
	list, err := c.kube.DiscoveryV1().EndpointSlices(neighbourNamespace).List(c.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=web"})
	c.must(err)
	ready := 0
	for i := range list.Items {
		for _, endpoint := range list.Items[i].Endpoints {
			if isReady(endpoint) {
				ready++
			}
		}
	}
	return ready
}

func (c *cluster) neighboursStayReady() {
	c.Helper()
	if got := c.readyNeighbours(); got != machines {
		c.Errorf("%d of %d machines of the neighbour are ready", got, machines)
	}
}

// flipLatency returns the median time from a status write of one of the neighbour's
// workloads to the slice that shows it.
func (c *cluster) flipLatency() time.Duration {
	c.Helper()
	client := c.workloads.WorkloadV1beta1().ExternalWorkloads(neighbourNamespace)
	var took []time.Duration
	for i := range flips {
		status := v1beta1.ConditionTrue
		if i%2 == 1 {
			status = v1beta1.ConditionFalse
		}
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, status)
		_, err := client.Patch(c.Context(), "flips", types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		c.must(err)
		took = append(took, c.eventually(30*time.Second, "a flip of the neighbour is published", func() bool {
			return c.publishedReady(c.Context(), neighbourNamespace, "flips") == (status == v1beta1.ConditionTrue)
		}))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// survived fails the test if the controller was killed or has ended.
func (c *cluster) survived(pid int) {
	c.Helper()
	if !c.controller.Running() || c.controller.Pid() != pid {
		c.Error("the controller has ended")
	}
	if c.memory == nil {
		return
	}
	kills, err := c.memory.Kills()
	c.must(err)
	if kills > 0 {
		c.Errorf("the kernel OOM-killed %d processes", kills)
	}
}

func (c *cluster) nothingOfTheTenantIsReady() {
	c.Helper()
	list, err := c.kube.DiscoveryV1().EndpointSlices(tenantNamespace).List(c.Context(), metav1.ListOptions{})
	c.must(err)
	for i := range list.Items {
		for _, endpoint := range list.Items[i].Endpoints {
			if isReady(endpoint) && !strings.HasPrefix(endpoint.TargetRef.Name, "fighter") {
				c.Errorf("%s of the tenant is published ready, though it never answered", endpoint.TargetRef.Name)
			}
		}
	}
}

// nothingRemoteIsRepeated searches everything that the controller writes for the words of
// the tenant's machines.
func (c *cluster) nothingRemoteIsRepeated() {
	c.Helper()
	workloads, err := c.workloads.WorkloadV1beta1().ExternalWorkloads(tenantNamespace).List(c.Context(), metav1.ListOptions{})
	c.must(err)
	events, err := c.kube.EventsV1().Events("").List(c.Context(), metav1.ListOptions{})
	c.must(err)
	log, err := os.ReadFile(c.controller.Log())
	c.must(err)
	texts := []string{string(log)}
	for i := range workloads.Items {
		for _, condition := range workloads.Items[i].Status.Conditions {
			texts = append(texts, condition.Message)
		}
	}
	for i := range events.Items {
		texts = append(texts, events.Items[i].Note)
	}
	for _, word := range remoteWords {
		for _, text := range texts {
			if at := strings.Index(text, word); at >= 0 {
				c.Errorf("%q of a remote machine is repeated in %q", word, text[max(at-100, 0):min(at+100, len(text))])
			}
		}
	}
}
