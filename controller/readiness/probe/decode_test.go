package probe

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// machine returns a workload with two ports and the addresses given.
func machine(addresses ...string) *v1beta1.ExternalWorkload {
	workload := &v1beta1.ExternalWorkload{Spec: v1beta1.ExternalWorkloadSpec{
		MeshTLS: v1beta1.MeshTLS{Identity: "spiffe://example.org/vm", ServerName: "vm.example.org"},
		Ports: []v1beta1.PortSpec{
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP},
			{Name: "http", Port: 8080},
			{Name: "health", Port: 9000, Protocol: "tcp"},
		},
	}}
	for _, address := range addresses {
		workload.Spec.WorkloadIPs = append(workload.Spec.WorkloadIPs, v1beta1.WorkloadIP{IP: address})
	}
	return workload
}

// asking returns a machine with the annotation of a server name.
func asking(serverName string) *v1beta1.ExternalWorkload {
	workload := machine("192.0.2.10")
	workload.Annotations = map[string]string{v1beta1.ProbeServerNameAnnotation: serverName}
	return workload
}

func secure(s *Spec) { s.Secure = true }

// spec returns a probe with all defaults.
func spec(changes ...func(*Spec)) *Spec {
	made := &Spec{
		Kind: TCP, Targets: []Target{{Family: corev1.IPv4Protocol, Host: "192.0.2.10", Port: 8080}},
		Period: 10 * time.Second, Timeout: time.Second, SuccessThreshold: 1, FailureThreshold: 3,
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

func TestDecode(t *testing.T) {
	ipv6 := Target{Family: corev1.IPv6Protocol, Host: "2001:db8::1", Port: 8080}
	get := func(path string, change func(*Request)) func(*Spec) {
		return func(s *Spec) {
			parsed, err := url.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			s.Kind = HTTP
			s.Request = &Request{Path: parsed, Header: http.Header{"Accept": {"*/*"}, "User-Agent": {UserAgent}}}
			if change != nil {
				change(s.Request)
			}
		}
	}
	for name, test := range map[string]struct {
		annotation string
		workload   *v1beta1.ExternalWorkload
		want       *Spec
	}{
		"JSON, port by name":             {annotation: `{"tcpSocket":{"port":"http"}}`, want: spec()},
		"YAML, port by number":           {annotation: "tcpSocket:\n  port: 8080\n", want: spec()},
		"a name matches a TCP port only": {annotation: `{"tcpSocket":{"port":"health"}}`, want: spec(func(s *Spec) { s.Targets[0].Port = 9000 })},
		"the probe names a host":         {annotation: `{"tcpSocket":{"port":80,"host":"vm.example.org"}}`, want: spec(func(s *Spec) { s.Targets = []Target{{Host: "vm.example.org", Port: 80}} })},
		"a bad first address is skipped": {annotation: `{"tcpSocket":{"port":"http"}}`, workload: machine("vm", "2001:DB8::1"), want: spec(func(s *Spec) { s.Targets = []Target{ipv6} })},
		"both families are probed":       {annotation: `{"tcpSocket":{"port":"http"}}`, workload: machine("2001:db8::1", "192.0.2.10", "192.0.2.11"), want: spec(func(s *Spec) { s.Targets = []Target{ipv6, s.Targets[0]} })},
		"a family that is refused is reported": {annotation: `{"tcpSocket":{"port":"http"}}`, workload: machine("fe80::1", "192.0.2.10"), want: spec(func(s *Spec) {
			s.Refused = []*RefusedError{{Address: netip.MustParseAddr("fe80::1"), Why: "it is a link-local address, which other networks cannot reach"}}
		})},
		"gRPC":                {annotation: `{"grpc":{"port":9000}}`, want: spec(func(s *Spec) { s.Kind, s.Targets[0].Port = GRPC, 9000 })},
		"gRPC with a service": {annotation: `{"grpc":{"port":9000,"service":"shop"}}`, want: spec(func(s *Spec) { s.Kind, s.Targets[0].Port, s.Service = GRPC, 9000, "shop" })},
		"HTTP":                {annotation: `{"httpGet":{"port":"http","path":"/ready?full=1"}}`, want: spec(get("/ready?full=1", nil))},
		"HTTP without path":   {annotation: `{"httpGet":{"port":"http"}}`, want: spec(get("/", nil))},
		"a path cannot name another host": {
			annotation: `{"httpGet":{"port":"http","path":"//metadata/x"}}`,
			want:       spec(get("/x", nil)),
		},
		"HTTPS with header fields": {
			annotation: `{"httpGet":{"port":"http","scheme":"HTTPS","httpHeaders":[{"name":"host","value":"shop"},{"name":"accept","value":""},{"name":"X-One","value":"1"}]}}`,
			want: spec(secure, get("/", func(r *Request) {
				r.Host, r.Header = "shop", http.Header{"User-Agent": {UserAgent}, "X-One": {"1"}}
			})),
		},
		"gRPC with TLS":                 {annotation: `{"grpc":{"port":9000,"mode":"TLS"}}`, want: spec(secure, func(s *Spec) { s.Kind, s.Targets[0].Port = GRPC, 9000 })},
		"gRPC without TLS, explicitly":  {annotation: `{"grpc":{"port":9000,"mode":"Plaintext"}}`, want: spec(func(s *Spec) { s.Kind, s.Targets[0].Port = GRPC, 9000 })},
		"HTTP/2 without TLS":            {annotation: `{"httpGet":{"port":"http","protocol":"HTTP2"}}`, want: spec(get("/", func(r *Request) { r.HTTP2 = true }))},
		"HTTP/1, explicitly":            {annotation: `{"httpGet":{"port":"http","protocol":"HTTP1"}}`, want: spec(get("/", nil))},
		"an invalid URL is escaped":     {annotation: `{"httpGet":{"port":"http","path":"/%zz"}}`, want: spec(get("/%25zz", nil))},
		"the mesh's server name":        {annotation: `{"httpGet":{"port":"http","scheme":"HTTPS"}}`, workload: asking("mesh"), want: spec(secure, get("/", nil), func(s *Spec) { s.ServerName = "vm.example.org" })},
		"another server name":           {annotation: `{"grpc":{"port":8080,"mode":"TLS"}}`, workload: asking("Shop.example.org"), want: spec(secure, func(s *Spec) { s.Kind, s.ServerName = GRPC, "Shop.example.org" })},
		"upper case and an underscore":  {annotation: `{"tcpSocket":{"port":8080,"host":"My_VM.Example.org."}}`, want: spec(func(s *Spec) { s.Targets = []Target{{Host: "My_VM.Example.org.", Port: 8080}} })},
		"YAML of many kinds":            {annotation: "# a comment\n---\ntcpSocket:\n  'port': 0x1f90\n...\n", want: spec()},
		"a text that looks like a bool": {annotation: "httpGet: {port: http, httpHeaders: [{name: X, value: yes}]}\n", want: spec(get("/", func(r *Request) { r.Header.Set("X", "yes") }))},
		"all numbers": {
			annotation: `{"tcpSocket":{"port":8080},"initialDelaySeconds":5,"periodSeconds":7,"timeoutSeconds":2,"successThreshold":4,"failureThreshold":6}`,
			want: spec(func(s *Spec) {
				s.InitialDelay, s.Period, s.Timeout = 5*time.Second, 7*time.Second, 2*time.Second
				s.SuccessThreshold, s.FailureThreshold = 4, 6
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			workload := test.workload
			if workload == nil {
				workload = machine("192.0.2.10")
			}
			got, err := Decode(test.annotation, workload, Options{AllowHost: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		annotation string
		workload   *v1beta1.ExternalWorkload
		says       string
	}{
		"nothing":                       {annotation: "", says: "has 0 of"},
		"no YAML":                       {annotation: "{", says: "neither JSON nor YAML"},
		"a key twice":                   {annotation: "periodSeconds: 1\nperiodSeconds: 2\n", says: "already set"},
		"an unknown field":              {annotation: `{"tcpSocket":{"port":80},"period":3}`, says: `unknown field "period"`},
		"a field in the wrong case":     {annotation: `{"tcpsocket":{"port":80}}`, says: `unknown field "tcpsocket"`},
		"a wrong type":                  {annotation: `{"tcpSocket":{"port":80},"periodSeconds":"ten"}`, says: "does not decode"},
		"no handler":                    {annotation: `{"periodSeconds":5}`, says: "has 0 of"},
		"two handlers":                  {annotation: `{"tcpSocket":{"port":80},"grpc":{"port":81}}`, says: "has 2 of"},
		"exec":                          {annotation: `{"exec":{"command":["true"]}}`, says: "exec cannot be run"},
		"an unknown port name":          {annotation: `{"tcpSocket":{"port":"admin"}}`, says: `no TCP port named "admin"`},
		"a port of another protocol":    {annotation: `{"tcpSocket":{"port":"dns"}}`, says: `no TCP port named "dns"`},
		"a number as a name":            {annotation: `{"tcpSocket":{"port":"8080"}}`, says: `no TCP port named "8080"`},
		"port zero":                     {annotation: `{"grpc":{"port":0}}`, says: "port is 0"},
		"a port too large":              {annotation: `{"tcpSocket":{"port":65536}}`, says: "port is 65536"},
		"a negative threshold":          {annotation: `{"tcpSocket":{"port":80},"failureThreshold":-1}`, says: "failureThreshold is -1; it must be 1 to 1000"},
		"a threshold too large":         {annotation: `{"tcpSocket":{"port":80},"successThreshold":1001}`, says: "successThreshold is 1001"},
		"a negative period":             {annotation: `{"tcpSocket":{"port":80},"periodSeconds":-1}`, says: "periodSeconds is -1"},
		"a timeout too long":            {annotation: `{"tcpSocket":{"port":80},"periodSeconds":60,"timeoutSeconds":31}`, says: "timeoutSeconds is 31; it must be 1 to 30"},
		"a timeout over the period":     {annotation: `{"tcpSocket":{"port":80},"periodSeconds":5,"timeoutSeconds":6}`, says: "timeoutSeconds is 6; it must not be longer than periodSeconds, which is 5"},
		"a bogus mode":                  {annotation: `{"grpc":{"port":80,"mode":"Bogus"}}`, says: `grpc.mode is "Bogus"; it must be Plaintext or TLS`},
		"a bogus protocol":              {annotation: `{"httpGet":{"port":80,"protocol":"SPDY"}}`, says: `protocol is "SPDY"; it must be HTTP1 or HTTP2`},
		"HTTP/2, explicitly, with TLS":  {annotation: `{"httpGet":{"port":80,"scheme":"HTTPS","protocol":"HTTP2"}}`, says: "protocol is HTTP2, which is for the scheme HTTP"},
		"a server name without TLS":     {annotation: `{"httpGet":{"port":80}}`, workload: asking("mesh"), says: "is for probes with TLS"},
		"an invalid server name":        {annotation: `{"httpGet":{"port":80,"scheme":"HTTPS"}}`, workload: asking("a b"), says: `the server name "a b" is no DNS name`},
		"a second document":             {annotation: "tcpSocket: {port: 80}\n---\ntcpSocket: {port: 81}\n", says: "more than one YAML document"},
		"an anchor":                     {annotation: "tcpSocket: &a {port: 80}\n", says: "line 1: YAML anchors and aliases are not allowed"},
		"an alias":                      {annotation: "a: &a x\ntcpSocket: *a\n", says: "line 1: YAML anchors and aliases are not allowed"},
		"an alias of nothing":           {annotation: "tcpSocket: *a\n", says: "neither JSON nor YAML"},
		"a merge key":                   {annotation: "tcpSocket:\n  <<: {port: 80}\n", says: "line 2: YAML merge keys are not allowed"},
		"a tag":                         {annotation: "tcpSocket: !!map {port: 80}\n", says: "line 1: YAML tags are not allowed"},
		"a key that is a list":          {annotation: "? [a]\n: b\n", says: "line 1: a key must be a text"},
		"a list that nests deeply":      {annotation: "a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n#", says: "nests more than 16 levels"},
		"a list that is long":           {annotation: "a: [" + strings.Repeat("1,", 3000) + "]\n", says: "more than 2048 keys and values"},
		"an invalid number":             {annotation: "tcpSocket: {port: 1.5}\n", says: "does not decode"},
		"a negative delay":              {annotation: `{"tcpSocket":{"port":80},"initialDelaySeconds":-1}`, says: "initialDelaySeconds is -1"},
		"a grace period":                {annotation: `{"tcpSocket":{"port":80},"terminationGracePeriodSeconds":1}`, says: "terminationGracePeriodSeconds"},
		"an unknown scheme":             {annotation: `{"httpGet":{"port":80,"scheme":"https"}}`, says: `scheme is "https"`},
		"a bad header name":             {annotation: `{"httpGet":{"port":80,"httpHeaders":[{"name":"a b","value":"1"}]}}`, says: `"a b" is not the name`},
		"a header with a line break":    {annotation: `{"httpGet":{"port":80,"httpHeaders":[{"name":"a","value":"1\r\nb: 2"}]}}`, says: "control characters"},
		"a bad path":                    {annotation: `{"httpGet":{"port":80,"path":"mailto:a"}}`, says: "is not the path of a URL"},
		"an invalid host":               {annotation: `{"tcpSocket":{"port":80,"host":"a b"}}`, says: `host "a b"`},
		"a host that is refused":        {annotation: `{"tcpSocket":{"port":80,"host":"169.254.169.254"}}`, says: "must not be probed"},
		"a workload without an address": {annotation: `{"tcpSocket":{"port":80}}`, workload: machine(), says: "no address"},
		"a workload on loopback":        {annotation: `{"tcpSocket":{"port":80}}`, workload: machine("127.0.0.1"), says: "loopback"},
		"an invalid workload address":   {annotation: `{"tcpSocket":{"port":80}}`, workload: machine("vm"), says: `"vm" is no IP address`},
		"more than 16 KiB":              {annotation: strings.Repeat(" ", MaxBytes+1), says: "at most 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			workload := test.workload
			if workload == nil {
				workload = machine("192.0.2.10")
			}
			got, err := Decode(test.annotation, workload, Options{AllowHost: true})
			if err == nil {
				t.Fatalf("decoded %+v", got)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %q; it should contain %q", err, test.says)
			}
		})
	}
}

// TestAMissingAddressIsNoFaultOfTheProbe: what is wrong with the probe comes first.
func TestAMissingAddressIsNoFaultOfTheProbe(t *testing.T) {
	for annotation, want := range map[string]bool{
		`{"tcpSocket":{"port":"http"}}`:              true,
		`{"httpGet":{"port":"http"}}`:                true,
		`{"tcpSocket":{"port":"htpp"}}`:              false,
		`{"httpGet":{"port":"http","scheme":"FTP"}}`: false,
		`{"grpc":{"port":9000,"mode":"Any"}}`:        false,
	} {
		_, err := Decode(annotation, machine(), Options{})
		if _, is := errors.AsType[*NoAddressError](err); is != want {
			t.Errorf("%s gives %v; a NoAddressError is wanted: %t", annotation, err, want)
		}
	}
}

// TestHostIsRefusedByDefault: with a host in probes, everybody who may write a workload
// could scan the network.
func TestHostIsRefusedByDefault(t *testing.T) {
	for _, annotation := range []string{
		`{"tcpSocket":{"port":80,"host":"198.51.100.1"}}`,
		`{"httpGet":{"port":80,"host":"vm.example.org"}}`,
	} {
		got, err := Decode(annotation, machine("192.0.2.10"), Options{})
		if _, is := errors.AsType[*HostNotAllowedError](err); !is {
			t.Errorf("%s gives %+v, %v; want a HostNotAllowedError", annotation, got, err)
		}
	}
}
