package main

import (
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// invitedKubeconfig writes what invite --token-lifetime prints to a file, after the
// replacements of strings.NewReplacer.
func invitedKubeconfig(t *testing.T, server *apiServer, token string, lifetime time.Duration, replacements ...string) string {
	t.Helper()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	cluster := machineCluster{&clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: authority}}
	data, err := cluster.kubeconfig("shop", "vm-1", token, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(data))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRegisterRequestsTheLifetimeOfTheInvitation registers twice: the kubeconfig, which
// the first round rewrites with the new token, has to keep the lifetime.
func TestRegisterRequestsTheLifetimeOfTheInvitation(t *testing.T) {
	start := time.Unix(100000, 0)
	for sentence, test := range map[string]struct {
		file func(t *testing.T, server *apiServer, token string) string
		flag time.Duration
		want time.Duration
	}{
		"the kubeconfig of invite --token-lifetime": {
			func(t *testing.T, server *apiServer, token string) string {
				return invitedKubeconfig(t, server, token, 240*time.Hour)
			}, 0, 240 * time.Hour,
		},
		"a flag of register takes precedence": {
			func(t *testing.T, server *apiServer, token string) string {
				return invitedKubeconfig(t, server, token, 240*time.Hour)
			}, 48 * time.Hour, 48 * time.Hour,
		},
		"a kubeconfig without a lifetime": {
			func(t *testing.T, server *apiServer, token string) string {
				return machineKubeconfig(t, server.URL, token, server.Certificate())
			}, 0, 720 * time.Hour,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := newAPIServer(t)
			// The API server grants less, so that the second process requests a token too.
			server.token = machineToken("vm-1", start, start.Add(24*time.Hour))
			file := test.file(t, server, server.token)
			for range 2 {
				r, _ := newRegistrar(t, server, server.token, start)
				r.kubeconfig, r.flags.tokenLifetime = file, test.flag
				if err := r.round(t.Context()); err != nil || r.renewal.failure != nil {
					t.Fatal(err, r.renewal.failure)
				}
			}
			if diff := cmp.Diff([]time.Duration{test.want, test.want}, server.lifetimes); diff != "" {
				t.Errorf("requested lifetimes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALifetimeThatCannotBeUsedIsOneClearLine(t *testing.T) {
	register := []string{"register"}
	const reachesTheServer = "it was revoked, or the object is gone"
	for sentence, test := range map[string]struct {
		stored string
		args   []string
		want   string
	}{
		"no duration":                      {"tokenLifetime: soon", register, `has the tokenLifetime "soon", want a duration of at least 10m0s; correct it, or give --token-lifetime`},
		"less than a minimum":              {"tokenLifetime: 1m", register, `has the tokenLifetime "1m", want`},
		"a number":                         {"tokenLifetime: 240", register, `has the tokenLifetime "", want`},
		"another field":                    {"lifetime: 240h", register, `has the tokenLifetime "", want`},
		"nothing":                          {"", register, `has the tokenLifetime "", want`},
		"a value that the flag overrides":  {"tokenLifetime: soon", []string{"register", "--token-lifetime", "48h"}, reachesTheServer},
		"a drain, which requests no token": {"tokenLifetime: soon", []string{"drain"}, "the API server does not accept the credentials"},
	} {
		t.Run(sentence, func(t *testing.T) {
			server := newAPIServer(t)
			server.refuse = http.StatusUnauthorized
			now := time.Now()
			file := invitedKubeconfig(t, server, machineToken("vm-1", now, now.Add(time.Hour)), 240*time.Hour, "tokenLifetime: 240h0m0s", test.stored)
			got := execute(t, "", append(test.args, "--kubeconfig", file)...)
			if got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 || got.out != "" {
				t.Errorf("exit code %d, output %q, error %q; want 1 and one line with %q", got.code, got.out, got.err, test.want)
			}
		})
	}
}
