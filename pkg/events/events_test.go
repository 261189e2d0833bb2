package events

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestNotesAreCutBetweenCharacters(t *testing.T) {
	for name, test := range map[string]struct{ note, want string }{
		"a short note stays":                  {note: "short", want: "short"},
		"a note of the maximum length stays":  {note: strings.Repeat("a", 1024), want: strings.Repeat("a", 1024)},
		"a longer note is truncated":          {note: strings.Repeat("a", 1025), want: strings.Repeat("a", 1021) + "..."},
		"no character is split":               {note: strings.Repeat("é", 600), want: strings.Repeat("é", 510) + "..."},
		"no character of four bytes is split": {note: strings.Repeat("🔥", 300), want: strings.Repeat("🔥", 255) + "..."},
		"invalid bytes are replaced":          {note: "a\xffb", want: "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			got := clip(test.note)
			if got != test.want {
				t.Errorf("got %q (%d bytes), want %q", got, len(got), test.want)
			}
			if len(got) > maxNote || !utf8.ValidString(got) {
				t.Errorf("the note has %d bytes, which the API server refuses", len(got))
			}
		})
	}
}

func TestKindsListEveryKindThatTheyMake(t *testing.T) {
	var kinds Kinds
	warning := kinds.Warning("Failed", "Publish")
	normal := kinds.Normal("Published", "Publish")
	if got := kinds.All(); !slices.Equal(got, []Kind{warning, normal}) {
		t.Errorf("listed are %v", got)
	}
	if got := warning.For("IPv6"); got.Action() != "PublishIPv6" || got.Reason() != "Failed" || got.Type() != corev1.EventTypeWarning {
		t.Errorf("for a family it is %v", got)
	}
	if warning.Action() != "Publish" {
		t.Error("the declared kind has changed")
	}
}

// TestEventsOnEveryTypeAreStored: with a scheme that lacks a type, client-go
// drops the Event and only logs it.
func TestEventsOnEveryTypeAreStored(t *testing.T) {
	client := fake.NewSimpleClientset()
	broadcaster := NewBroadcaster(client.EventsV1(), "test")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := broadcaster.Start(ctx); err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "a", UID: "1"}
	var kinds Kinds
	kind := kinds.Warning("Failed", "Publish")
	for _, object := range []runtime.Object{
		&v1beta1.ExternalWorkload{ObjectMeta: meta}, &corev1.Service{ObjectMeta: meta},
		&corev1.Pod{ObjectMeta: meta}, &coordinationv1.Lease{ObjectMeta: meta},
	} {
		broadcaster.Record(kind, object, &corev1.Service{ObjectMeta: meta}, "%d %%", 100)
	}
	want := []string{
		"ExternalWorkload workload.linkerd.io/v1beta1 Service 100 %", "Lease coordination.k8s.io/v1 Service 100 %",
		"Pod v1 Service 100 %", "Service v1 Service 100 %",
	}
	var got []string
	err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		list, err := client.EventsV1().Events("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		got = nil
		for _, e := range list.Items {
			got = append(got, e.Regarding.Kind+" "+e.Regarding.APIVersion+" "+e.Related.Kind+" "+e.Note)
		}
		return len(got) == len(want), nil
	})
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
}
