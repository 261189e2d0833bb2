package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// runWith runs the program until it exits.
func runWith(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestTheProgramEndsWithOneLineThatSaysWhatToDo(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("clusters: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	working := writeKubeconfig(t, "http://127.0.0.1:1")

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an unknown flag":                 {[]string{"--worker=3"}, exitUsage, "unknown flag: --worker"},
		"an argument":                     {[]string{"start"}, exitUsage, `unexpected argument "start"; see --help`},
		"adopt without a mode":            {[]string{"adopt"}, exitUsage, "give adopt one of --dry-run"},
		"adopt with two modes":            {[]string{"adopt", "--dry-run", "--hand-back"}, exitUsage, "give adopt one of --dry-run"},
		"adopt with an argument":          {[]string{"adopt", "--dry-run", "now"}, exitUsage, `unexpected argument "now"`},
		"adopt with an unknown flag":      {[]string{"adopt", "--workers=3"}, exitUsage, "unknown flag: --workers"},
		"adopt with a flag out of bounds": {[]string{"adopt", "--dry-run", "--max-endpoints-per-slice=0"}, exitUsage, "--max-endpoints-per-slice is 0, want 1 to 1000"},
		"a hand-back of no Lease":         {[]string{"adopt", "--hand-back"}, exitUsage, "give --take-over-lease with --hand-back"},
		"adopt without a cluster":         {[]string{"adopt", "--dry-run"}, exitFailed, "not in a cluster: give --kubeconfig"},
		"adopt previews zones of ranges":  {[]string{"adopt", "--dry-run", "--zone-from-cidr=10.1.0.0/16=zone-a"}, exitFailed, "not in a cluster: give --kubeconfig"},
		"adopt in an unreachable cluster": {[]string{"adopt", "--dry-run", "--kubeconfig=" + working}, exitFailed, "asking the API server: it cannot be reached"},
		"selftest with an unknown flag":   {[]string{"selftest", "--nope"}, exitUsage, "unknown flag: --nope"},
		"selftest with a wrong address":   {[]string{"selftest", "--address=here"}, exitUsage, `--address "here" is no IP address`},
		"selftest with an argument":       {[]string{"selftest", "now"}, exitUsage, `unexpected argument "now"`},
		"selftest with a broken file":     {[]string{"selftest", "--kubeconfig=" + broken}, exitFailed, "reading how to reach the cluster"},
		"a flag out of bounds":            {[]string{"--workers=0"}, exitUsage, "--workers is 0, want 1 to 256"},
		"no cluster":                      {nil, exitFailed, "not in a cluster: give --kubeconfig, or run as a Pod"},
		"a missing kubeconfig":            {[]string{"--kubeconfig=/nowhere/config"}, exitFailed, "reading --kubeconfig /nowhere/config"},
		"a malformed kubeconfig":          {[]string{"--kubeconfig=" + broken}, exitFailed, "reading --kubeconfig " + broken},
		"a kubeconfig without cluster":    {[]string{"--kubeconfig=" + os.DevNull}, exitFailed, "it names no cluster"},
		"an address in use":               {[]string{"--kubeconfig=" + working, "--health-bind-address=0", "--metrics-bind-address=" + taken.Addr().String()}, exitFailed, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runWith(t, test.args...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d and %q, want %d and a line with %q", code, stderr, test.code, test.want)
			}
		})
	}
}

func TestVersionIsPrintedAndNothingElseDone(t *testing.T) {
	code, stdout, stderr := runWith(t, "--version")
	if code != exitDone || !strings.HasPrefix(stdout, "external-workload-controller ") || stderr != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {selfTest, "--help"}, {adoption, "--help"}} {
		if code, stdout, stderr := runWith(t, args...); code != exitDone || !strings.Contains(stdout+stderr, "--kubeconfig") || strings.Contains(stderr, "error") {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	if _, stdout, _ := runWith(t, "--help"); !strings.Contains(stdout, adoption) || !strings.Contains(stdout, selfTest) {
		t.Errorf("the help does not name the subcommands:\n%s", stdout)
	}
}

func TestAFailingReadIsExplained(t *testing.T) {
	resource := schema.GroupResource{Group: "workload.linkerd.io", Resource: "externalworkloads"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"the CustomResourceDefinition is missing": {apierrors.NewNotFound(resource, ""), "install the CustomResourceDefinition"},
		"the permission is missing":               {apierrors.NewForbidden(resource, "", errors.New("no")), "give the service account the permissions of the chart"},
		"the credentials are wrong":               {apierrors.NewUnauthorized("no"), "give the service account the permissions of the chart"},
		"the API server does not answer":          {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, "check its address"},
	} {
		t.Run(name, func(t *testing.T) {
			if text := explain(test.err, resource.Group, resource.Resource, "vms").Error(); !strings.Contains(text, test.want) {
				t.Errorf("explained as %q, want %q in it", text, test.want)
			}
		})
	}
}

func TestMemoryLimitIsAFractionOfTheContainers(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		limit   int64
		limited bool
	}{
		"a limit":            {"134217728\n", 120795955, true},
		"none, in cgroup v2": {"max\n", 0, false},
		"none, in cgroup v1": {"9223372036854771712\n", 0, false},
		"an empty file":      {"", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			limit, limited := memoryLimit(test.content)
			if limited != test.limited || limited && limit != test.limit {
				t.Errorf("limit %d, limited %t; want %d, %t", limit, limited, test.limit, test.limited)
			}
		})
	}
}

// writeKubeconfig names an API server at an address.
func writeKubeconfig(t *testing.T, address string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := "apiVersion: v1\nkind: Config\ncurrent-context: c\n" +
		"clusters: [{name: c, cluster: {server: '" + address + "'}}]\n" +
		"contexts: [{name: c, context: {cluster: c, user: u, namespace: here}}]\nusers: [{name: u, user: {}}]\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
