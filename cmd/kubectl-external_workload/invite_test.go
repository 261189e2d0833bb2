package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineToken returns a token of a machine, without a signature.
func machineToken(workload string, issued, expires time.Time) string {
	claims := fmt.Sprintf(`{"sub":"system:serviceaccount:shop:external-workload-machine-%s","iat":%d,"exp":%d}`, workload, issued.Unix(), expires.Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// machineKubeconfig writes the kubeconfig of a machine for a server with a
// certificate; nil if it is not verified.
func machineKubeconfig(t *testing.T, server, token string, certificate *x509.Certificate) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	authority := ""
	if certificate != nil {
		encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
		authority = ", certificate-authority-data: " + base64.StdEncoding.EncodeToString(encoded)
	}
	text := `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "` + server + `"` + authority + `}}]
users: [{name: u, user: {token: "` + token + `"}}]
contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]
current-context: x
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBadInputOfInviteIsOneClearLine(t *testing.T) {
	server := []string{"--server", "https://192.0.2.1:6443", "-n", "shop"}
	withoutAddress := strings.Replace(goodWorkload, "  workloadIPs: [{ip: 192.0.2.10}]\n", "", 1)
	for sentence, test := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no workload":                     {"", []string{"invite"}, "accepts 1 arg(s), received 0"},
		"an invalid name":                 {"", append(server, "invite", "VM"), `"VM" is no name of an ExternalWorkload`},
		"a name that is too long":         {"", append(server, "invite", strings.Repeat("a", 228)), "a machine that is invited may have 227"},
		"an invalid range":                {"", append(server, "invite", "vm-1", "--cidr", "10.20.0.7/16"), "did you mean 10.20.0.0/16"},
		"too short a time":                {"", append(server, "invite", "vm-1", "--valid-for", "1m"), "must be at least 10m0s"},
		"an unknown output":               {"", append(server, "invite", "vm-1", "-o", "yaml"), "want one of kubeconfig, cloud-init"},
		"a server without TLS":            {"", []string{"invite", "vm-1", "--server", "http://192.0.2.1"}, "needs an https URL of the API server"},
		"a machine server without TLS":    {"", append(server, "invite", "vm-1", "--machine-server", "192.0.2.1:6443"), "needs an https URL of the API server"},
		"a server that is not verified":   {"", append(server, "invite", "vm-1", "--insecure-skip-tls-verify"), "does not verify the API server's certificate"},
		"a manifest of another machine":   {goodWorkload, append(server, "invite", "vm-2", "-f", "-"), `- has no ExternalWorkload "vm-2"`},
		"a manifest of another namespace": {goodWorkload, []string{"invite", "vm-1", "-f", "-", "--server", "https://192.0.2.1", "-n", "default"}, `is for namespace "shop"; give -n shop`},
		"a manifest that does not parse":  {"kind: ExternalWorkload\n  name: x\n", append(server, "invite", "vm-1", "-f", "-"), "-:2: mapping values are not allowed"},
		"a file that does not exist":      {"", append(server, "invite", "vm-1", "-f", "nope.yaml"), "nope.yaml: no such file"},
		"an API server that is not there": {withoutAddress, []string{"invite", "vm-1", "-f", "-", "--cidr", "10.0.0.0/8", "--server", "https://192.0.2.1:1", "-n", "shop", "--request-timeout", "100ms"},
			"cannot reach the API server"},
		"no kubeconfig": {"", []string{"invite", "vm-1"}, "no cluster is configured"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := execute(t, test.stdin, test.args...)
			if got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
				t.Errorf("exit code %d, output %q, error %q; want 1 and one line with %q", got.code, got.out, got.err, test.want)
			}
		})
	}
}

func TestBadInputOfMachinesIsOneClearLine(t *testing.T) {
	now := time.Now()
	valid := machineToken("vm-1", now, now.Add(time.Hour))
	for sentence, test := range map[string]struct {
		token string
		args  []string
		want  string
	}{
		"a kubeconfig of an administrator":  {"secret", []string{"register"}, "the kubeconfig is not one that invite has printed"},
		"an invalid address":                {valid, []string{"register", "--ip", "here"}, `--ip: "here" is no IP address`},
		"two addresses of one family":       {valid, []string{"register", "--ip", "10.0.0.1,10.0.0.2"}, "a second address of one family"},
		"a timeout of nothing":              {valid, []string{"register", "--timeout", "0s"}, "--timeout and --interval must be positive"},
		"too short a lifetime":              {valid, []string{"register", "--token-lifetime", "1m"}, "--token-lifetime must be 0 or at least 10m0s"},
		"arguments":                         {valid, []string{"register", "vm-1"}, `unknown command "vm-1"`},
		"an expired invitation":             {machineToken("vm-1", now.Add(-2*time.Hour), now.Add(-time.Hour)), []string{"register"}, "expired at "},
		"a revoked invitation":              {valid, []string{"register"}, "it was revoked, or the object is gone; ask an administrator for a new one: kubectl external-workload invite vm-1 -n shop"},
		"the drain of another machine":      {valid, []string{"drain", "vm-2"}, "is the invitation of vm-1, which may not change vm-2"},
		"a machine that deletes itself":     {valid, []string{"drain", "--delete"}, "a machine cannot delete its ExternalWorkload"},
		"an administrator names no machine": {"secret", []string{"drain"}, "give a workload; only a machine"},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":401,"reason":"Unauthorized","message":"Unauthorized"}`)
			}))
			defer server.Close()
			got := execute(t, "", append(test.args, "--kubeconfig", machineKubeconfig(t, server.URL, test.token, server.Certificate()))...)
			if got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
				t.Errorf("exit code %d, output %q, error %q; want 1 and one line with %q", got.code, got.out, got.err, test.want)
			}
		})
	}
}
