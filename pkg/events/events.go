// Package events records Events (events.k8s.io/v1) on Services, workloads and other
// objects.
//
// Each controller declares the Events that it records in one Kinds, so that a test can
// check that each of them occurs. The API server merges Events with the same object,
// related object, type, reason and action. Events that must stay separate therefore
// need different related objects or actions; a different note is not enough.
//
// The package must not know what any Event means.
package events

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// maxNote is the maximum length of a note that the API server accepts, in bytes.
const maxNote = 1024

// Kind is one kind of Event. Only Kinds makes them.
type Kind struct {
	eventType, reason, action string
}

// Type is Normal or Warning.
func (k Kind) Type() string { return k.eventType }

// Reason returns the Event's reason, a CamelCase word.
func (k Kind) Reason() string { return k.reason }

// Action returns what the controller was doing, a CamelCase word.
func (k Kind) Action() string { return k.action }

// For returns the same kind with an action that includes a detail, such as an address
// family. Events with different details are stored separately.
func (k Kind) For(what string) Kind {
	k.action += what
	return k
}

// Kinds are the kinds of Events that one controller records. They are complete after
// the initialization of the package that declares them.
type Kinds struct {
	all []Kind
}

// Warning declares a kind of type Warning, for problems that somebody should look at.
func (k *Kinds) Warning(reason, action string) Kind {
	return k.add(Kind{eventType: corev1.EventTypeWarning, reason: reason, action: action})
}

// Normal declares a kind of type Normal.
func (k *Kinds) Normal(reason, action string) Kind {
	return k.add(Kind{eventType: corev1.EventTypeNormal, reason: reason, action: action})
}

func (k *Kinds) add(kind Kind) Kind {
	k.all = append(k.all, kind)
	return kind
}

// All returns the declared kinds, in the order of their declaration.
func (k *Kinds) All() []Kind { return k.all }

// Recorder records Events. It does not block, and is safe for concurrent use.
type Recorder interface {
	// Record records an Event on the object regarding. related is a second
	// object that it is about, or nil. The note is formatted as by fmt.Sprintf.
	Record(kind Kind, regarding, related runtime.Object, note string, args ...any)
}

// Discard is a Recorder that drops every Event.
type Discard struct{}

// Record implements Recorder.
func (Discard) Record(Kind, runtime.Object, runtime.Object, string, ...any) {}

// Broadcaster is the Recorder that writes to the API server, while it is started.
type Broadcaster struct {
	broadcaster events.EventBroadcaster
	recorder    events.EventRecorder
}

// NewBroadcaster returns a Broadcaster that writes with client in the name of a
// component. It drops Events from before Start.
func NewBroadcaster(client eventsclient.EventsV1Interface, component string) *Broadcaster {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client})
	return &Broadcaster{broadcaster: broadcaster, recorder: broadcaster.NewRecorder(newScheme(), component)}
}

// newScheme registers all types on which Events are recorded. An Event on an object of
// another type is dropped.
func newScheme() *runtime.Scheme {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1beta1.Install} {
		if err := add(known); err != nil {
			panic(err) // the types of a program do not change
		}
	}
	return known
}

// Start writes recorded Events until ctx is cancelled.
func (b *Broadcaster) Start(ctx context.Context) error {
	if err := b.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("starting to record Events: %w", err)
	}
	return nil
}

// Record implements Recorder.
func (b *Broadcaster) Record(kind Kind, regarding, related runtime.Object, note string, args ...any) {
	b.recorder.Eventf(regarding, related, kind.eventType, kind.reason, kind.action, "%s", clip(fmt.Sprintf(note, args...)))
}

// clip shortens a note to the length that the API server accepts, without splitting a
// character.
func clip(note string) string {
	const ellipsis = "..."
	note = strings.ToValidUTF8(note, "\uFFFD")
	if len(note) <= maxNote {
		return note
	}
	// The cut may have split a character, whose bytes are then invalid.
	return strings.ToValidUTF8(note[:maxNote-len(ellipsis)], "") + ellipsis
}
