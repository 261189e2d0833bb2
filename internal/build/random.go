package build

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Choices are decisions read from bytes, such as a fuzzer's. After the last byte, every
// choice is the first option.
type Choices struct{ rest []byte }

// NewChoices reads choices from data.
func NewChoices(data []byte) *Choices { return &Choices{rest: data} }

// RandomChoices returns a number of choices for a seed.
func RandomChoices(seed uint64, count int) *Choices {
	random := rand.New(rand.NewPCG(seed, seed))
	data := make([]byte, count)
	for i := range data {
		data[i] = byte(random.UintN(256))
	}
	return NewChoices(data)
}

// Done reports whether no choices are left.
func (c *Choices) Done() bool { return len(c.rest) == 0 }

// Below chooses a number from 0 to n-1, n being at most 256.
func (c *Choices) Below(n int) int {
	if len(c.rest) == 0 {
		return 0
	}
	chosen := int(c.rest[0]) % n
	c.rest = c.rest[1:]
	return chosen
}

// Rarely is true in one of n cases.
func (c *Choices) Rarely(n int) bool { return c.Below(n) == n-1 }

// pick chooses one of several values.
func pick[T any](c *Choices, values ...T) T { return values[c.Below(len(values))] }

// AnyService makes the Service shop/web with a random value of every property that
// affects its endpoints. It sometimes selects nothing.
func AnyService(c *Choices) *corev1.Service {
	target := func() PortOption {
		return pick(c, ToNumber(8080), ToName("http"), ToNumber(9090), ToName("admin"), ToName(""), ToNumber(0))
	}
	protocol := func() PortOption { return Over(pick[corev1.Protocol](c, "TCP", "TCP", "TCP", "UDP", "tcp", "")) }
	options := []ServiceOption{
		pick(c,
			Families("IPv4"), Families("IPv4"), Families("IPv6"), Families("IPv4", "IPv6"), Families("IPv6", "IPv4"), Families()),
		pick(c,
			Ports(Port("http", 80, target(), protocol())),
			Ports(Port("", 80, target(), protocol())),
			Ports(Port("http", 80, target(), protocol()), Port("admin", 81, target(), protocol()))),
	}
	if c.Rarely(4) {
		options = append(options, Headless())
		if c.Rarely(3) {
			options = append(options, Ports())
		}
	}
	if c.Rarely(4) {
		options = append(options, PublishNotReady())
	}
	if c.Rarely(3) {
		options = append(options, Traffic(pick(c, "PreferClose", "PreferSameZone", "PreferSameNode", "Other")))
	}
	if c.Rarely(3) {
		options = append(options, Label(pick(c, "team", corev1.IsHeadlessService), pick(c, "red", "blue")))
	}
	if c.Rarely(12) {
		options = append(options, pick(c, NoSelector(), Type(corev1.ServiceTypeExternalName)))
	}
	return Service("shop/web", options...)
}

// AnyWorkload makes a workload with a random value of every property. It chooses from few
// addresses, so that workloads share some.
func AnyWorkload(c *Choices, key string) *v1beta1.ExternalWorkload {
	options := []WorkloadOption{
		IPs(anyAddress(c)),
		WorkloadPorts(WorkloadPort("http", pick[int32](c, 8080, 8080, 8081), pick[corev1.Protocol](c, "TCP", "", "udp"))),
		MeshTLS(pick(c, "one", "two"), "server"),
		UID(pick[types.UID](c, "first", "second")),
	}
	if c.Rarely(3) {
		options = append(options, IPs(anyAddress(c), anyAddress(c)))
	}
	if c.Rarely(4) {
		options = append(options, WorkloadPorts(
			WorkloadPort("http", 8080, ""), WorkloadPort("admin", pick[int32](c, 9090, 8080, 0), "TCP")))
	}
	if c.Rarely(3) {
		options = append(options, NotReady())
	}
	if c.Rarely(8) {
		options = append(options, Deleting())
	}
	if c.Rarely(8) {
		options = append(options, Drained())
	}
	if c.Rarely(3) {
		options = append(options, Zone(pick(c, "z1", "z2")))
	}
	if c.Rarely(4) {
		options = append(options, Created(Epoch.AddDate(0, 0, -c.Below(3))))
	}
	return Workload(key, options...)
}

func anyAddress(c *Choices) string {
	switch c.Below(8) {
	case 6:
		return fmt.Sprintf("2001:DB8::%x", c.Below(16)+1)
	case 7:
		return pick(c, "", "127.0.0.1", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.01", "nonsense")
	default:
		return fmt.Sprintf("192.0.2.%d", c.Below(24)+1)
	}
}
