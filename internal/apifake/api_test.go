package apifake_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/apifake/behaviour"
	"github.com/external-workload/controller/internal/build"
)

func TestBehaviour(t *testing.T) {
	client := fake.NewClientset()
	apifake.Install(client, scheme.Scheme)
	behaviour.Test(t, client, "shop")
}

func TestFailures(t *testing.T) {
	client := fake.NewClientset()
	api := apifake.Install(client, scheme.Scheme)
	lost := errors.New("lost")
	services := client.CoreV1().Services("shop")
	for late, name := range map[bool]string{false: "early", true: "late"} {
		api.Fail(func(action clienttesting.Action) *apifake.Failure { return &apifake.Failure{Err: lost, Late: late} })
		if _, err := services.Create(t.Context(), build.Service("shop/"+name), metav1.CreateOptions{}); !errors.Is(err, lost) {
			t.Errorf("a create that fails %s: %v", name, err)
		}
		api.Fail(nil)
		if _, err := services.Get(t.Context(), name, metav1.GetOptions{}); (err == nil) != late {
			t.Errorf("after a create that failed %s: %v", name, err)
		}
		want := []apifake.Write{{Verb: "create", Resource: "services", Key: "shop/" + name, Err: lost}}
		if diff := cmp.Diff(want, api.Writes(), cmpopts.EquateErrors(), cmpopts.IgnoreFields(apifake.Write{}, "Object")); diff != "" {
			t.Errorf("writes: -want +got\n%s", diff)
		}
	}
}

func TestHold(t *testing.T) { synctest.Test(t, testHold) }

func testHold(t *testing.T) {
	client := fake.NewClientset()
	api := apifake.Install(client, scheme.Scheme)
	stream, err := client.CoreV1().Services("shop").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Stop()
	release := api.Hold("services")
	for _, key := range []string{"shop/a", "shop/b"} {
		if _, err := client.CoreV1().Services("shop").Create(t.Context(), build.Service(key), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	select {
	case event := <-stream.ResultChan():
		t.Fatalf("got %v while events are delayed", event)
	default:
	}
	release()
	for _, want := range []string{"a", "b"} {
		if got := (<-stream.ResultChan()).Object.(metav1.Object).GetName(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
