package takeover

import (
	"context"
	"strconv"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"
)

var leaseName = types.NamespacedName{Namespace: "linkerd", Name: "linkerd-destination-endpoint-write"}

// server holds one Lease and refuses stale updates, like the API server.
type server struct {
	coordinationclient.LeaseInterface

	mu                sync.Mutex
	lease             *coordinationv1.Lease
	version           int
	requests, updates int
	fail              map[string]error
}

func newServer(l *coordinationv1.Lease) *server { return &server{lease: l} }

// Leases implements coordinationclient.LeasesGetter.
func (s *server) Leases(string) coordinationclient.LeaseInterface { return s }

// Get implements coordinationclient.LeaseInterface.
func (s *server) Get(_ context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if err := s.fail["get"]; err != nil {
		return nil, err
	}
	if s.lease == nil {
		return nil, apierrors.NewNotFound(coordinationv1.Resource("leases"), name)
	}
	return s.lease.DeepCopy(), nil
}

// Update implements coordinationclient.LeaseInterface.
func (s *server) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if err := s.fail["update"]; err != nil {
		return nil, err
	}
	if l.ResourceVersion != s.lease.ResourceVersion {
		return nil, apierrors.NewConflict(coordinationv1.Resource("leases"), l.Name, nil)
	}
	s.updates++
	s.store(l.DeepCopy())
	return s.lease.DeepCopy(), nil
}

func (s *server) store(l *coordinationv1.Lease) {
	s.version++
	l.ResourceVersion = strconv.Itoa(s.version)
	s.lease = l
}

// hold sets the holder.
func (s *server) hold(holder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lease.DeepCopy()
	l.Spec.HolderIdentity = &holder
	s.store(l)
}

// renewedAt sets the time of the last renewal.
func (s *server) renewedAt(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lease.DeepCopy()
	l.Spec.RenewTime = new(metav1.NewMicroTime(at))
	s.store(l)
}

// failing makes requests fail, by verb; nil means no failure.
func (s *server) failing(fail map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// appear creates a Lease.
func (s *server) appear(l *coordinationv1.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = l
}

// counts returns the number of requests and the number of updates among them.
func (s *server) counts() (requests, updates int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.updates
}

func (s *server) read() *coordinationv1.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease.DeepCopy()
}

// lease makes a Lease that was acquired and renewed at a time.
func lease(holder string, seconds int32, at time.Time) *coordinationv1.Lease {
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: leaseName.Namespace, Name: leaseName.Name, ResourceVersion: "0"}}
	if holder != "" {
		l.Spec.HolderIdentity = &holder
	}
	l.Spec.LeaseDurationSeconds = &seconds
	l.Spec.AcquireTime, l.Spec.RenewTime = new(metav1.NewMicroTime(at)), new(metav1.NewMicroTime(at))
	return l
}

// record is the content of a Lease without its times.
type record struct {
	Holder               string
	Seconds, Transitions int32
}

func holding(holder string, seconds, transitions int32) record {
	return record{Holder: holder, Seconds: seconds, Transitions: transitions}
}

func summary(l *coordinationv1.Lease) record {
	return holding(ptr.Deref(l.Spec.HolderIdentity, ""), ptr.Deref(l.Spec.LeaseDurationSeconds, 0), ptr.Deref(l.Spec.LeaseTransitions, 0))
}
