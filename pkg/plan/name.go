package plan

import (
	"encoding/binary"
	"hash/fnv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// NamePrefix begins the names of all slices, like those of Linkerd's controller.
const NamePrefix = "linkerd-external-"

// suffixLetters are the letters of generated names in the API server.
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789"

// suffixLength is the length of the generated part.
const suffixLength = 5

func generateName(service *corev1.Service) string { return NamePrefix + service.Name + "-" }

// names returns names for new slices. They look generated, but depend only on the
// Service and its slices. If the answer to a create is lost although it took effect,
// the retry therefore finds the name in use, instead of creating a second slice with
// the same endpoints.
type names struct {
	service *corev1.Service
	used    map[string]struct{}
	ordinal uint64
	skip    int
}

// newNames starts with the first name that no actual slice has.
func (d *draft) newNames() names {
	n := names{service: d.desired.Service, skip: d.options.NamesTaken}
	if len(d.slices) == 0 || d.slices[len(d.slices)-1].actual != nil {
		return n // nothing is created
	}
	n.used = make(map[string]struct{}, len(d.slices))
	for i := range d.slices {
		if actual := d.slices[i].actual; actual != nil {
			n.used[actual.Name] = struct{}{}
		}
	}
	return n
}

func (n *names) next() string {
	for {
		name := n.at(n.ordinal)
		n.ordinal++
		if _, used := n.used[name]; used {
			continue
		}
		n.used[name] = struct{}{}
		if n.skip == 0 {
			return name
		}
		n.skip--
	}
}

func (n *names) at(ordinal uint64) string {
	digest := fnv.New64a()
	digest.Write([]byte(n.service.UID))
	digest.Write(binary.BigEndian.AppendUint64(nil, ordinal))
	var b strings.Builder
	b.WriteString(generateName(n.service))
	rest := digest.Sum64()
	for range suffixLength {
		b.WriteByte(suffixLetters[rest%uint64(len(suffixLetters))])
		rest /= uint64(len(suffixLetters))
	}
	return b.String()
}
