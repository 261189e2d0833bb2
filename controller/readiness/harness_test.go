package readiness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
	"github.com/external-workload/controller/pkg/generated/informers/externalversions"
)

// notes is an Observer and an event recorder that keeps everything.
type notes struct {
	mu         sync.Mutex
	probes     map[string]int
	writes     map[string]int
	failures   map[string]int
	rejected   map[string]int
	expired    int
	overwrites int
	workloads  map[class]int
	holds      []bool
	events     []string
}

func newNotes() *notes {
	return &notes{probes: map[string]int{}, writes: map[string]int{}, failures: map[string]int{}, rejected: map[string]int{}, workloads: map[class]int{}}
}

func (n *notes) do(what func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	what()
}

func (n *notes) Reconciled(string, string, time.Duration) {}
func (n *notes) PanicRecovered(controller string)         { panic("panic in " + controller) }
func (n *notes) StatusWritten(outcome string)             { n.do(func() { n.writes[outcome]++ }) }
func (n *notes) Failed(_, reason string)                  { n.do(func() { n.failures[reason]++ }) }
func (n *notes) WorkloadExpired()                         { n.do(func() { n.expired++ }) }
func (n *notes) AnnotationRejected(reason string)         { n.do(func() { n.rejected[reason]++ }) }
func (n *notes) ReadyOverwritten()                        { n.do(func() { n.overwrites++ }) }
func (n *notes) SetHold(active bool) {
	n.do(func() {
		if len(n.holds) == 0 || n.holds[len(n.holds)-1] != active {
			n.holds = append(n.holds, active)
		}
	})
}
func (n *notes) Probed(kind, outcome string, _, _ time.Duration) {
	n.do(func() { n.probes[kind+" "+outcome]++ })
}
func (n *notes) SetWorkloads(source, ready string, count int) {
	n.do(func() { n.workloads[class{Source(source), v1beta1.ConditionStatus(ready)}] = count })
}
func (n *notes) Record(kind events.Kind, _, _ runtime.Object, note string, args ...any) {
	n.do(func() { n.events = append(n.events, kind.Type()+" "+kind.Reason()+": "+fmt.Sprintf(note, args...)) })
}

// copyOf reads a map of the notes.
func copyOf[K comparable](n *notes, counts map[K]int) (copied map[K]int) {
	n.do(func() { copied = maps.Clone(counts) })
	return copied
}

// world is a controller on a fake API, whose probes are answered by the test.
type world struct {
	*notes
	t          *testing.T
	client     *fake.Clientset
	controller *Controller
	// onUpdate is called for each update of a status, and may refuse it. The fake client
	// does not synchronize additional reactors with running requests.
	onUpdate func(written *v1beta1.ExternalWorkload) error

	answers sync.Mutex
	// down is the set of machines and addresses that do not answer.
	down    map[string]bool
	cutOff  bool
	asked   map[string]int
	askedAt map[string]time.Time
	// longest is the longest time from one probe of a machine to the next.
	longest map[string]time.Duration
	// memory is the cost of the probes in flight, and mostMemory its maximum.
	memory, mostMemory int64
}

// inWorld runs test in a bubble with a controller that watches the workloads of
// two namespaces.
func inWorld(t *testing.T, workloads []*v1beta1.ExternalWorkload, config Config, test func(*world)) {
	t.Helper()
	inNamespaces(t, []string{"shop", "elsewhere"}, workloads, config, test)
}

// inCluster runs test in a bubble with a controller that watches all namespaces.
func inCluster(t *testing.T, workloads []*v1beta1.ExternalWorkload, config Config, test func(*world)) {
	t.Helper()
	inNamespaces(t, []string{metav1.NamespaceAll}, workloads, config, test)
}

func inNamespaces(t *testing.T, namespaces []string, workloads []*v1beta1.ExternalWorkload, config Config, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{notes: newNotes(), t: t, down: map[string]bool{}, asked: map[string]int{}, askedAt: map[string]time.Time{}, longest: map[string]time.Duration{}}
		var objects []runtime.Object
		for _, workload := range workloads {
			objects = append(objects, workload.DeepCopy())
		}
		w.client = fake.NewSimpleClientset(objects...)
		w.client.PrependReactor("update", "externalworkloads", w.react)
		var factories []externalversions.SharedInformerFactory
		for _, namespace := range namespaces {
			factory := externalversions.NewSharedInformerFactoryWithOptions(w.client, 0, externalversions.WithNamespace(namespace))
			config.MoreWorkloads = append(config.MoreWorkloads, factory.Workload().V1beta1().ExternalWorkloads())
			factories = append(factories, factory)
		}
		config.Client, config.Workloads, config.MoreWorkloads = w.client, config.MoreWorkloads[0], config.MoreWorkloads[1:]
		config.Events, config.Observer = w.notes, w.notes
		var err error
		if w.controller, err = New(config); err != nil {
			t.Fatal(err)
		}
		w.controller.ask = w.answer

		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), ktesting.NewLogger(t, ktesting.DefaultConfig)))
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.controller.Run(ctx, 2); err != nil {
				t.Error(err)
			}
		})
		for _, factory := range factories {
			factory.StartWithContext(ctx)
		}
		synctest.Wait()
		test(w)
		cancel()
		running.Wait()
		for _, factory := range factories {
			factory.Shutdown()
		}
	})
}

// react lets the test see and refuse the updates.
func (w *world) react(action clienttesting.Action) (handled bool, _ runtime.Object, err error) {
	written := action.(clienttesting.UpdateAction).GetObject().(*v1beta1.ExternalWorkload)
	w.do(func() {
		if w.onUpdate != nil {
			err = w.onUpdate(written)
		}
	})
	return err != nil, nil, err
}

// whenUpdated sets what is called for each update; react calls it with the lock of the notes.
func (w *world) whenUpdated(called func(written *v1beta1.ExternalWorkload) error) {
	w.do(func() { w.onUpdate = called })
}

// answer returns a machine's answer; probe.Spec.Service is its name.
func (w *world) answer(ctx context.Context, spec *probe.Spec, target probe.Target) probe.Result {
	w.answers.Lock()
	w.asked[spec.Service]++
	if last, before := w.askedAt[spec.Service]; before {
		w.longest[spec.Service] = max(w.longest[spec.Service], time.Since(last))
	}
	w.askedAt[spec.Service] = time.Now()
	cost := probe.Cost(spec) / int64(len(spec.Targets))
	w.memory += cost
	w.mostMemory = max(w.mostMemory, w.memory)
	defer w.ended(cost)
	silent := w.cutOff || w.down[spec.Service] || w.down[target.Host]
	w.answers.Unlock()
	if !silent {
		return probe.Result{Outcome: probe.Success}
	}
	select {
	case <-time.After(spec.Timeout):
	case <-ctx.Done():
	}
	return probe.Result{Outcome: probe.Timeout, Message: "no answer within 1s"}
}

func (w *world) ended(cost int64) {
	w.answers.Lock()
	defer w.answers.Unlock()
	w.memory -= cost
}

func (w *world) setDown(down bool, names ...string) {
	w.answers.Lock()
	defer w.answers.Unlock()
	for _, name := range names {
		w.down[name] = down
	}
}

func (w *world) setCutOff(cutOff bool) {
	w.answers.Lock()
	defer w.answers.Unlock()
	w.cutOff = cutOff
}

func (w *world) timesAsked(name string) int {
	w.answers.Lock()
	defer w.answers.Unlock()
	return w.asked[name]
}

// longestPause returns the longest time from one probe of a machine to the next.
func (w *world) longestPause(name string) time.Duration {
	w.answers.Lock()
	defer w.answers.Unlock()
	return w.longest[name]
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// notReady returns the names of all workloads that are not ready, in order.
func (w *world) notReady() []string {
	w.t.Helper()
	return w.notReadyIn("shop")
}

func (w *world) notReadyIn(namespace string) []string {
	w.t.Helper()
	list, err := w.client.WorkloadV1beta1().ExternalWorkloads(namespace).List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		if !isReady(&list.Items[i]) {
			names = append(names, list.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) get(name string) *v1beta1.ExternalWorkload {
	w.t.Helper()
	got, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) update(name string, changes ...func(*v1beta1.ExternalWorkload)) {
	w.t.Helper()
	w.updateIn("shop", name, changes...)
	synctest.Wait()
}

func (w *world) updateIn(namespace, name string, changes ...func(*v1beta1.ExternalWorkload)) {
	w.t.Helper()
	workloads := w.client.WorkloadV1beta1().ExternalWorkloads(namespace)
	updated, err := workloads.Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, change := range changes {
		change(updated)
	}
	if _, err := workloads.Update(w.t.Context(), updated, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// asking returns a gRPC probe of the service with the workload's name.
func asking(name, numbers string) func(*v1beta1.ExternalWorkload) {
	return probed(fmt.Sprintf(`{"grpc":{"port":80,"service":%q}%s}`, name, numbers))
}

// fleet is n probed workloads that are ready, and their names.
func fleet(n int, numbers string) (workloads []*v1beta1.ExternalWorkload, names []string) {
	return fleetIn("shop", "vm", n, numbers)
}

// fleetIn returns a fleet in a namespace. Names are unique across namespaces.
func fleetIn(namespace, prefix string, n int, numbers string) (workloads []*v1beta1.ExternalWorkload, names []string) {
	for i := range n {
		name := fmt.Sprintf("%s-%05d", prefix, i)
		names = append(names, name)
		made := workload(name, asking(name, numbers), having(is(v1beta1.WorkloadReady, "True", ReasonProbeSucceeded, ""), proven(name, "192.0.2.10:80")))
		made.Namespace = namespace
		workloads = append(workloads, made)
	}
	return workloads, names
}

// neighbours are n namespaces with a fleet of two each.
func neighbours(n int) (workloads []*v1beta1.ExternalWorkload) {
	for i := range n {
		two, _ := fleetIn(fmt.Sprintf("neighbour-%d", i), fmt.Sprintf("neighbour-%d-vm", i), 2, "")
		workloads = append(workloads, two...)
	}
	return workloads
}
