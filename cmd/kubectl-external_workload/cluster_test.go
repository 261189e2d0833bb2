package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/explain"
)

// liveCluster returns an API server with Services, machines and namespaces.
func liveCluster(t *testing.T, manifests ...string) string {
	t.Helper()
	items := map[string][]json.RawMessage{
		"namespaces": {json.RawMessage(`{"metadata":{"name":"shop"}}`), json.RawMessage(`{"metadata":{"name":"default"}}`)},
	}
	for _, manifest := range manifests {
		encoded, err := yaml.YAMLToJSON([]byte(manifest))
		if err != nil {
			t.Fatal(err)
		}
		plural := "externalworkloads"
		if strings.Contains(manifest, "kind: Service\n") {
			plural = "services"
		}
		items[plural] = append(items[plural], encoded)
	}
	kinds := map[string][2]string{
		"namespaces": {"v1", "NamespaceList"}, "services": {"v1", "ServiceList"},
		"externalworkloads": {"workload.linkerd.io/v1beta1", "ExternalWorkloadList"}, "endpointslices": {"discovery.k8s.io/v1", "EndpointSliceList"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plural := path.Base(r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": kinds[plural][0], "kind": kinds[plural][1], "items": items[plural]})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWhyOfManifestsOverACluster(t *testing.T) {
	server := liveCluster(t, goodService, goodWorkload)
	other := strings.ReplaceAll(goodWorkload, "app: web", "app: shop")
	second := strings.ReplaceAll(strings.ReplaceAll(goodWorkload, "vm-1", "vm-2"), "192.0.2.10", "192.0.2.11")
	for sentence, test := range map[string]struct {
		stdin, workload string
		want            string
	}{
		"a label that the manifest changes":     {other, "vm-1", `the selector wants "web"`},
		"a machine that only the manifest has":  {second, "vm-2", "app=web matches"},
		"a machine that only the cluster has":   {second, "vm-1", "app=web matches"},
		"an address that the other machine has": {strings.ReplaceAll(second, "192.0.2.11", "192.0.2.10"), "vm-2", "192.0.2.10"},
		"a Service that the manifest changes":   {strings.ReplaceAll(goodService, "targetPort: http", "targetPort: grpc"), "vm-1", "add the port to the workload's spec.ports"},
		"a machine that neither has":            {second, "vm-3", `"vm-3" not found`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, test.stdin, "why", test.workload, "-n", "shop", "-f", "-", "--server", server)
			if !strings.Contains(got.out+got.err, test.want) {
				t.Errorf("exit code %d; output does not contain %q:\n%s%s", got.code, test.want, got.out, got.err)
			}
		})
	}
}

// The kubeconfig's context is in the namespace default here. The cluster has no slices, so
// nothing is served.
func TestWhyFindsTheManifestOfANameOverACluster(t *testing.T) {
	server := liveCluster(t, goodService, goodWorkload)
	second := strings.ReplaceAll(strings.ReplaceAll(goodWorkload, "vm-1", "vm-2"), "192.0.2.10", "192.0.2.11")
	elsewhere := strings.ReplaceAll(second, "namespace: shop", "namespace: warehouse")
	none := strings.ReplaceAll(second, "namespace: shop", "")
	for sentence, test := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"a workload":                   {second, []string{"vm-2"}, exitNotServed, "ExternalWorkload shop/vm-2"},
		"a workload and a Service":     {second, []string{"vm-2", "web"}, exitNotServed, "Service web: not served"},
		"a Service":                    {goodService, []string{"--service", "web"}, exitNotServed, "0 of 1 served"},
		"no name, and one namespace":   {second, nil, exitNotServed, "ExternalWorkload shop/vm-2"},
		"no name, and two namespaces":  {second + "---" + elsewhere, nil, exitError, "have ExternalWorkloads in namespaces shop, warehouse; name one of the workloads"},
		"a workload of two namespaces": {second + "---" + elsewhere, []string{"vm-2"}, exitError, "in namespaces shop, warehouse; give one of them with -n"},
		"another namespace with -n":    {second, []string{"vm-2", "-n", "default"}, exitError, `"vm-2" not found in namespace "default"`},
		"a manifest without namespace": {none, []string{"vm-2"}, exitNotServed, "ExternalWorkload default/vm-2"},
		"a workload of no manifest":    {second, []string{"vm-3"}, exitError, `"vm-3" not found in namespace "default"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, test.stdin, append([]string{"why", "-f", "-", "--server", server}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.out+got.err, test.want) {
				t.Errorf("exit code %d, want %d; output does not contain %q:\n%s%s", got.code, test.code, test.want, got.out, got.err)
			}
		})
	}
}

// TestAControllerThatDoesNotProbe has a machine with a probe that an agent says to be ready.
func TestAControllerThatDoesNotProbe(t *testing.T) {
	probed := strings.ReplaceAll(goodWorkload, `external-workload.io/ready: "True"`, `external-workload.io/probe: '{"tcpSocket":{"port":8080}}'`) +
		"status: {conditions: [{type: Ready, status: \"True\", reason: Agent}]}\n"
	server := liveCluster(t, goodService, probed)
	for sentence, test := range map[string]struct {
		args []string
		// without and with are what the output contains without and with the flag.
		without, with string
	}{
		"why":  {[]string{"why", "vm-1"}, "has not passed the probe", "desired: 192.0.2.10, ready"},
		"list": {[]string{"list", "-o", "wide"}, "web (AddressNotProven)", "web (NotYetPublished)"},
	} {
		args := append(test.args, "-n", "shop", "--server", server)
		if got := execute(t, "", args...); !strings.Contains(got.out, test.without) {
			t.Errorf("%s: output does not contain %q:\n%s%s", sentence, test.without, got.out, got.err)
		}
		if got := execute(t, "", append(args, "--readiness=false")...); !strings.Contains(got.out, test.with) {
			t.Errorf("%s --readiness=false: output does not contain %q:\n%s%s", sentence, test.with, got.out, got.err)
		}
	}
}

// TestAMissingWorkloadHasOneErrorText compares all verbs that name a workload.
func TestAMissingWorkloadHasOneErrorText(t *testing.T) {
	missing := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound","message":"not found","details":{"kind":"externalworkloads","name":"z"}}`)
	})
	noDefinition := answering(t, http.NotFound)
	const want, wantNoDefinition = `ExternalWorkload "z" not found in namespace "shop"`, "the cluster does not know externalworkloads.workload.linkerd.io: install the chart or the CustomResourceDefinition"
	for _, test := range []struct{ server, verb, want string }{
		{liveCluster(t), "why", want},
		{missing, "watch", want},
		{missing, "drain", want},
		{missing, "undrain", want},
		{noDefinition, "watch", wantNoDefinition},
		{noDefinition, "drain", wantNoDefinition},
		{noDefinition, "drain --delete", wantNoDefinition},
	} {
		got := execute(t, "", append(strings.Fields(test.verb), "z", "-n", "shop", "--server", test.server)...)
		if got.code != exitError || !strings.HasSuffix(got.err, test.want+"\n") {
			t.Errorf("%s: exit code %d, error %q; want %q", test.verb, got.code, got.err, test.want)
		}
	}
}

// answering returns an API server that handles every request in the same way.
func answering(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCompletion(t *testing.T) {
	server := liveCluster(t, goodService, goodWorkload, strings.ReplaceAll(goodWorkload, "vm-1", "vm-2"))
	for sentence, test := range map[string]struct {
		args []string
		want []string
	}{
		"verbs":                       {[]string{"dr"}, []string{"drain"}},
		"machines":                    {[]string{"drain", ""}, []string{"vm-1", "vm-2"}},
		"machines to invite again":    {[]string{"invite", ""}, []string{"vm-1", "vm-2"}},
		"Services after a machine":    {[]string{"why", "vm-1", ""}, []string{"web"}},
		"Services of a flag":          {[]string{"why", "--service", ""}, []string{"web"}},
		"namespaces":                  {[]string{"list", "-n", ""}, []string{"shop", "default"}},
		"outputs":                     {[]string{"invite", "vm-1", "-o", ""}, []string{"kubeconfig", "cloud-init"}},
		"nothing after all arguments": {[]string{"drain", "vm-1", ""}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, "", append([]string{"__complete", "--server", server}, test.args...)...)
			var words []string
			for line := range strings.Lines(got.out) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				if !strings.HasPrefix(word, ":") {
					words = append(words, word)
				}
			}
			if diff := cmp.Diff(test.want, words); diff != "" {
				t.Errorf("words (-want +got):\n%s%s", diff, got.err)
			}
		})
	}
}

// TestColours takes the null device for a terminal, as it is a character device.
func TestColours(t *testing.T) {
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for sentence, test := range map[string]struct {
		noColour, term string
		want           string
	}{
		"a terminal":                 {"", "xterm", "\x1b[32mok\x1b[0m \x1b[31mno\x1b[0m \x1b[33mnote\x1b[0m"},
		"a terminal with NO_COLOR":   {"1", "xterm", "ok no note"},
		"a terminal without colours": {"", "dumb", "ok no note"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColour)
			t.Setenv("TERM", test.term)
			style := (&program{streams: streams{out: terminal}}).style()
			if got := fmt.Sprintf("%s %s %s", style(explain.OK, "ok"), style(explain.No, "no"), style(explain.Note, "note")); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if got := (&program{streams: streams{out: &strings.Builder{}}}).style()(explain.OK, "ok"); got != "ok" {
		t.Errorf("%q is written to a pipe, want no colours", got)
	}
}
