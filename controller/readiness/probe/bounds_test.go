package probe

import (
	"fmt"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

const (
	// decodeMemory and decodeTime are the maximum memory in bytes and the maximum time for
	// decoding one annotation. The time is ample, since test machines may be busy.
	decodeMemory = 32 << 20
	decodeTime   = 2 * time.Second
)

// allocated counts the bytes that this process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// decodeWithin decodes an annotation and checks the bounds.
func decodeWithin(t *testing.T, annotation string) (*Spec, error) {
	t.Helper()
	before, begin := allocated(), time.Now()
	got, err := Decode(annotation, machine("192.0.2.10"), Options{AllowHost: true})
	if took := time.Since(begin); took > decodeTime {
		t.Errorf("decoding %d bytes took %s", len(annotation), took)
	}
	if taken := allocated() - before; taken > decodeMemory {
		t.Errorf("decoding %d bytes took %d bytes of memory", len(annotation), taken)
	}
	if err != nil && len(err.Error()) > 3*maxMessage {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	return got, err
}

// aliases returns the annotation that took 2 GB: each list refers nine times to the list
// before it.
func aliases() string {
	text := "a0: &a0 [" + strings.Repeat("x", 12<<10) + "]\n"
	for i := range 9 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	return text
}

// TestAliasesDoNotExpand: decoding expanded an annotation of 16 KB to 2 GB, which killed
// one leader after another.
func TestAliasesDoNotExpand(t *testing.T) {
	for name, annotation := range hostileAnnotations() {
		t.Run(name, func(t *testing.T) {
			if got, err := decodeWithin(t, annotation); err == nil {
				t.Errorf("decoded %+v", got)
			}
		})
	}
}

func hostileAnnotations() map[string]string {
	fill := func(start, repeated, end string) string {
		return start + strings.Repeat(repeated, (MaxBytes-len(start)-len(end))/len(repeated)) + end
	}
	return map[string]string{
		"aliases of aliases":      aliases(),
		"a merge of merges":       "a: &a {x: 1}\n" + fill("b: &b {<<: [*a", ", *a", "]}\n"),
		"a deep list":             fill("", "[", ""),
		"a deep list that closes": fill("", "[", strings.Repeat("]", MaxBytes/2)),
		"a deep mapping":          fill("", "{a: ", ""),
		"a deep JSON list":        strings.Repeat("[", MaxBytes/2) + strings.Repeat("]", MaxBytes/2),
		"a deep block":            fill("", "- ", "x"),
		"many keys":               fill("", "? a\n", ""),
		"many documents":          fill("tcpSocket: {port: 1}\n", "---\na\n", ""),
		"many comments":           fill("a: 1\n", "#\n", ""),
		"many anchors":            fill("[", "&a ,", "]"),
		"many tags":               fill("[", "!a ,", "]"),
		"many directives":         fill("", "%TAG !a! b\n", "---\n"),
		"many colons":             fill("{", ":,", "}"),
		"an endless quote":        fill("a: \"", "\\\n", ""),
		"an endless block text":   fill("a: |\n", " \n", ""),
		"a number without end":    fill("periodSeconds: ", "9", "\n"),
		"UTF-16":                  "\xff\xfe" + fill("", "[\x00", ""),
	}
}

// FuzzDecode checks that no annotation makes Decode panic, take much time or memory, or
// return a probe that could run for ever or reach a refused address.
func FuzzDecode(f *testing.F) {
	f.Add(`{"httpGet":{"port":"http","path":"/x","host":"192.0.2.1"}}`)
	f.Add("grpc:\n  port: 1\n  service: a\n  mode: TLS\n")
	f.Add("tcpSocket: {port: 80, host: '::ffff:127.0.0.1'}")
	for _, annotation := range hostileAnnotations() {
		f.Add(annotation)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		got, err := decodeWithin(t, annotation)
		if err != nil {
			return
		}
		if got.Period < time.Second || got.Timeout < time.Second || got.Timeout > min(got.Period, MaxTimeoutSeconds*time.Second) {
			t.Errorf("%q gives period %s and timeout %s", annotation, got.Period, got.Timeout)
		}
		if len(got.Targets) == 0 || got.Targets[0].Port == 0 || got.SuccessThreshold < 1 || got.FailureThreshold < 1 {
			t.Errorf("%q gives %+v", annotation, got)
		}
	})
}
