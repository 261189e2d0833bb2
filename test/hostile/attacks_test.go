package hostile

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	serviceRange = "10.96.0.0/16"
	// canaryPort is the port of a Service that the tenant must not reach.
	canaryPort = 1443
	canaryIP   = "10.96.0.10"
)

// attack is an object of the tenant that is created count times.
type attack struct {
	name  string
	count int
	// annotations of each of them.
	annotations map[string]string
	// ip of each; if empty, each gets an address of the tenant's network.
	ip   string
	port int32
}

func probe(text string) map[string]string {
	return map[string]string{v1beta1.ProbeAnnotation: text}
}

// attacks returns the tenant's attacks. None of its machines ever passes a probe.
func attacks() []attack {
	return []attack{
		{name: "alias-bomb", count: 1, annotations: probe(aliasBomb())},
		{name: "deep-nesting", count: 1, annotations: probe(strings.Repeat("[", 7000) + strings.Repeat("]", 7000))},
		{name: "two-documents", count: 1, annotations: probe("tcpSocket: {port: 80}\n---\ntcpSocket: {port: 81}")},
		{name: "never-answers-slowly", count: 600, port: portSilent, annotations: probe(`{"httpGet":{"port":7001},"timeoutSeconds":30,"periodSeconds":30}`)},
		{name: "never-answers-often", count: 300, port: portSilent, annotations: probe(`{"httpGet":{"port":7001},"timeoutSeconds":1,"periodSeconds":1}`)},
		{name: "once-a-day", count: 130, port: portSilent, annotations: probe(`{"httpGet":{"port":7001},"periodSeconds":86400,"timeoutSeconds":30}`)},
		{name: "endless-headers", count: 300, port: portHeaders, annotations: probe(`{"httpGet":{"port":7002},"timeoutSeconds":10,"periodSeconds":10}`)},
		{name: "endless-handshake", count: 300, port: portTLS, annotations: probe(`{"httpGet":{"port":7003,"scheme":"HTTPS"},"timeoutSeconds":10,"periodSeconds":10}`)},
		{name: "endless-body", count: 300, port: portBody, annotations: probe(`{"httpGet":{"port":7006},"timeoutSeconds":10,"periodSeconds":10}`)},
		{name: "malformed-header", count: 1, port: portSecret, annotations: probe(`{"httpGet":{"port":7004},"periodSeconds":1,"failureThreshold":1}`)},
		{name: "ssh-banner", count: 1, port: portSSH, annotations: probe(`{"httpGet":{"port":7005},"periodSeconds":1,"failureThreshold":1}`)},
		{name: "scans-a-service", count: 1, ip: canaryIP, port: canaryPort, annotations: probe(`{"tcpSocket":{"port":1443},"periodSeconds":1}`)},
		{name: "scans-by-host", count: 1, annotations: probe(`{"tcpSocket":{"port":1443,"host":"` + canaryIP + `"},"periodSeconds":1}`)},
	}
}

// aliasBomb expands to 2^40 values from less than 2 KiB.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&text, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	return text.String()
}

// makeAttacks creates the tenant's objects.
func (c *cluster) makeAttacks() {
	c.Helper()
	group, ctx := errgroup.WithContext(c.Context())
	group.SetLimit(16)
	address := 0
	for _, a := range attacks() {
		group.Go(func() error { return createService(ctx, c.asTenantKube, tenantNamespace, a.name) })
		for i := range a.count {
			address++
			ip, port := a.ip, a.port
			if ip == "" {
				ip = fmt.Sprintf("10.66.%d.%d", address/250, address%250+1)
			}
			if port == 0 {
				port = 80
			}
			group.Go(func() error {
				return createWorkload(ctx, c.asTenantWorkloads, tenantNamespace, fmt.Sprintf("%s-%d", a.name, i), a.name, ip, port, a.annotations)
			})
		}
	}
	c.must(group.Wait())
}

// canary counts the connections to a Service that the tenant must not reach.
func (c *cluster) canary() *atomic.Int64 {
	c.Helper()
	var connections atomic.Int64
	serve(c.T, fmt.Sprintf("%s:%d", canaryIP, canaryPort), func(net.Conn) error {
		connections.Add(1)
		return nil
	})
	return &connections
}

// touch continuously changes the probe of one workload, so that it is always new, until ctx
// ends.
func (c *cluster) touch(ctx context.Context) error {
	client := c.asTenantWorkloads.WorkloadV1beta1().ExternalWorkloads(tenantNamespace)
	for i := 0; ; i++ {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"{\"httpGet\":{\"port\":7001,\"path\":\"/%d\"},\"timeoutSeconds\":30,\"periodSeconds\":30}"}}}`, v1beta1.ProbeAnnotation, i)
		name := fmt.Sprintf("never-answers-slowly-%d", i%600)
		if _, err := client.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return ignoreEnd(ctx, err)
		}
		if !pause(ctx, 20*time.Millisecond) {
			return nil
		}
	}
}

// fight sets Ready to False whenever the controller has set it to True, until ctx ends, and
// counts its writes.
func (c *cluster) fight(ctx context.Context, rounds *atomic.Int64) error {
	const name = "fighter"
	if err := createWorkload(ctx, c.asTenantWorkloads, tenantNamespace, name, name, "10.66.250.1", 80, map[string]string{v1beta1.ReadyAnnotation: "True"}); err != nil {
		return ignoreEnd(ctx, err)
	}
	client := c.asTenantWorkloads.WorkloadV1beta1().ExternalWorkloads(tenantNamespace)
	watch, err := client.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer watch.Stop()
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Agent"}]}}`)
	for event := range watch.ResultChan() {
		workload, ok := event.Object.(*v1beta1.ExternalWorkload)
		if !ok || len(workload.Status.Conditions) == 0 || workload.Status.Conditions[0].Status != v1beta1.ConditionTrue {
			continue
		}
		rounds.Add(1)
		if _, err := client.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
	return nil
}

func ignoreEnd(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
