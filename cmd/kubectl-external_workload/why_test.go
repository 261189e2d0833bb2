package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	goodService = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ipFamilies: [IPv4]
  ports: [{name: http, port: 80, targetPort: http}]
`
	goodWorkload = `
apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata:
  name: vm-1
  namespace: shop
  labels: {app: web}
  annotations: {external-workload.io/ready: "True"}
spec:
  meshTLS: {identity: vm-1, serverName: vm-1}
  workloadIPs: [{ip: 192.0.2.10}]
  ports: [{name: http, port: 8080}]
`
)

// result is what a run of the program gave.
type result struct {
	code     int
	out, err string
}

// execute runs the program with manifests on standard input and without a cluster.
func execute(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, err bytes.Buffer
	code := run(context.Background(), "kubectl external-workload", args, streams{in: strings.NewReader(stdin), out: &out, err: &err})
	return result{code, out.String(), err.String()}
}

func TestWhyOfManifests(t *testing.T) {
	other := strings.ReplaceAll(goodWorkload, "app: web", "app: shop")
	for sentence, test := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"a machine that is served":                        {goodService + "---" + goodWorkload, []string{"vm-1"}, exitOK, "Service web: served"},
		"all machines of the manifests, if none is named": {goodService + "---" + goodWorkload, nil, exitOK, "Service web: served"},
		"one that no Service selects": {goodService + "---" + other, []string{"vm-1"}, exitNotServed,
			`The nearest is Service web: label app is "shop", the selector wants "web"`},
		"one Service by its name":     {goodService + "---" + other, []string{"vm-1", "web"}, exitNotServed, "Service web: not served"},
		"a Service with its machines": {goodService + "---" + goodWorkload, []string{"--service", "web"}, exitOK, "1 of 1 served"},
		"a List of objects": {`{"apiVersion":"v1","kind":"List","items":[` + asJSON(t, goodService) + "," + asJSON(t, goodWorkload) + `]}`,
			[]string{"vm-1"}, exitOK, "Service web: served"},
	} {
		t.Run(sentence, func(t *testing.T) {
			args := append([]string{"why", "-n", "shop", "--local", "-f", "-"}, test.args...)
			got := execute(t, test.stdin, args...)
			if got.code != test.code || !strings.Contains(got.out, test.want) {
				t.Errorf("exit code %d, want %d; output does not contain %q:\n%s%s", got.code, test.code, test.want, got.out, got.err)
			}
		})
	}
}

// The command of a CI job: the manifests name their namespaces, and there is no kubeconfig.
func TestWhyOfManifestsInTheirOwnNamespaces(t *testing.T) {
	elsewhere := strings.ReplaceAll("---"+goodService+"---"+goodWorkload, "namespace: shop", "namespace: warehouse")
	got := execute(t, goodService+"---"+goodWorkload+elsewhere, "why", "--local", "-f", "-")
	if got.code != exitOK || !strings.Contains(got.out, "shop/vm-1") || !strings.Contains(got.out, "warehouse/vm-1") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
	}
	got = execute(t, goodService+"---"+goodWorkload, "why", "--local", "-f", "-", "-n", "default")
	if got.code != exitError || !strings.Contains(got.err, "give -n shop") {
		t.Errorf("with another namespace: exit code %d:\n%s%s", got.code, got.out, got.err)
	}
}

// The context of a kubeconfig may be in another namespace than the manifests.
func TestWhyFindsTheManifestOfAName(t *testing.T) {
	shop := goodService + "---" + goodWorkload
	both := shop + strings.ReplaceAll("---"+shop, "namespace: shop", "namespace: warehouse")
	for sentence, test := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"a workload":               {shop, []string{"vm-1"}, exitOK, "ExternalWorkload shop/vm-1"},
		"a workload and a Service": {shop, []string{"vm-1", "web"}, exitOK, "Service web: served"},
		"a Service":                {shop, []string{"--service", "web"}, exitOK, "1 of 1 served"},
		"a workload of two namespaces": {both, []string{"vm-1"}, exitError,
			`the manifests have ExternalWorkload "vm-1" in namespaces shop, warehouse; give one of them with -n`},
		"a Service of two namespaces": {both, []string{"--service", "web"}, exitError,
			`the manifests have Service "web" in namespaces shop, warehouse; give one of them with -n`},
		"a workload of two namespaces, with -n": {both, []string{"vm-1", "-n", "warehouse"}, exitOK, "ExternalWorkload warehouse/vm-1"},
		"a workload of another namespace than -n": {shop, []string{"vm-1", "-n", "default"}, exitError,
			`ExternalWorkload "vm-1" not found in namespace "default"`},
		"a workload that no manifest has": {shop, []string{"z"}, exitError, `ExternalWorkload "z" not found in namespace "default"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, test.stdin, append([]string{"why", "--local", "-f", "-"}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.out+got.err, test.want) {
				t.Errorf("exit code %d, want %d; output does not contain %q:\n%s%s", got.code, test.code, test.want, got.out, got.err)
			}
		})
	}
}

// asJSON returns the JSON form of a manifest.
func asJSON(t *testing.T, manifest string) string {
	t.Helper()
	var m manifestObjects
	if err := m.addFile("test", []byte(manifest), "shop"); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.services {
		s.APIVersion, s.Kind = "v1", "Service"
		text, _ := json.Marshal(s)
		return string(text)
	}
	m.workloads[0].APIVersion, m.workloads[0].Kind = "workload.linkerd.io/v1beta1", "ExternalWorkload"
	text, _ := json.Marshal(m.workloads[0])
	return string(text)
}

func TestBadInputIsOneClearLine(t *testing.T) {
	directory := t.TempDir()
	broken := filepath.Join(directory, "broken.yaml")
	if err := os.WriteFile(broken, []byte(goodService+"---\nkind: ExternalWorkload\n  name: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, test := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no such verb":                  {"", []string{"wy"}, `unknown command "wy"`},
		"no such flag":                  {"", []string{"why", "--nope"}, "unknown flag: --nope; see kubectl external-workload why --help"},
		"nothing to explain":            {"", []string{"why"}, "give a workload, --service SERVICE, or manifests with -f"},
		"both forms of why":             {"", []string{"why", "vm-1", "--service", "web"}, "give either a workload or --service"},
		"an unknown output":             {"", []string{"why", "vm-1", "-o", "xml"}, `--output is "xml", want one of json, yaml`},
		"no kubeconfig":                 {"", []string{"list"}, "no cluster is configured: give --kubeconfig, or set KUBECONFIG"},
		"a context that does not exist": {"", []string{"list", "--context", "nope"}, "context was not found for specified context: nope"},
		"no such workload":              {goodService, []string{"why", "z", "-n", "shop", "--local", "-f", "-"}, `ExternalWorkload "z" not found in namespace "shop"`},
		"no such Service":               {goodWorkload, []string{"why", "vm-1", "z", "-n", "shop", "--local", "-f", "-"}, `Service "z" not found in namespace "shop"`},
		"manifests of other kinds":      {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", []string{"why", "--local", "-f", "-"}, "there is no Service and no ExternalWorkload"},
		"a file that does not exist":    {"", []string{"why", "--local", "-f", "nope.yaml"}, "nope.yaml: no such file"},
		"a manifest that does not parse": {"", []string{"why", "--local", "-f", broken},
			"broken.yaml:11: mapping values are not allowed"},
		"a manifest with a field of another type": {goodService + "---\n" + strings.ReplaceAll(goodWorkload, "8080", "many"), []string{"why", "--local", "-f", "-"},
			"-:11: json: cannot unmarshal string"},
		"--local without files": {"", []string{"why", "vm-1", "--local"}, "--local needs manifests"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, test.stdin, test.args...)
			if got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
				t.Errorf("exit code %d, output %q, error %q; want 1 and one line with %q", got.code, got.out, got.err, test.want)
			}
		})
	}
}

// TestWhatTheServerRefuses has an API server that gives every request the same answer.
func TestWhatTheServerRefuses(t *testing.T) {
	status := func(code int, reason, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
		}
	}
	for sentence, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no permission":       {status(403, "Forbidden", "not you"), "no permission to list "},
		"expired credentials": {status(401, "Unauthorized", "Unauthorized"), "they may have expired"},
		"no definition":       {status(404, "NotFound", "the server could not find the requested resource"), "install the chart or the CustomResourceDefinition"},
		"no answer":           {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "cannot reach the API server"},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			got := execute(t, "", "list", "-A", "--server", server.URL, "--request-timeout", "300ms")
			if got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("exit code %d, error %q; want 1 and one line with %q", got.code, got.err, test.want)
			}
		})
	}
}

func TestHelpNamesTheProgramAsItIsCalled(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/local/bin/kubectl-external_workload": "kubectl external-workload why vm-1",
		"/usr/local/bin/external-workload":         "external-workload why vm-1",
		`kubectl-external_workload.exe`:            "kubectl external-workload why vm-1",
	} {
		var out bytes.Buffer
		run(t.Context(), nameOf(path), []string{"why", "--help"}, streams{out: &out, err: &out})
		if !strings.Contains(out.String(), "\n  "+want+"\n") {
			t.Errorf("as %s the help does not contain %q:\n%s", path, want, out.String())
		}
	}
}

func TestOutputsAreMachineReadable(t *testing.T) {
	got := execute(t, goodService+"---"+goodWorkload, "why", "vm-1", "-n", "shop", "--local", "-f", "-", "-o", "json")
	var answer struct {
		Served   bool
		Services []struct{ Service string }
	}
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil || !answer.Served || len(answer.Services) != 1 || answer.Services[0].Service != "web" {
		t.Errorf("%v: %s%s", err, got.out, got.err)
	}
	if got := execute(t, goodService+"---"+goodWorkload, "why", "vm-1", "-n", "shop", "--local", "-f", "-", "-o", "yaml"); !strings.Contains(got.out, "served: true") {
		t.Errorf("%s%s", got.out, got.err)
	}
}
