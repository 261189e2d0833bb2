package chart

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/selftest"
)

// The program runs as a process, with the chart's arguments and a token of the chart's
// service account. The chart's own test runs with the permissions of helm test and must
// pass.
func TestTheControllerPublishesWithTheRightsOfTheChart(t *testing.T) {
	// This plugin requires another permission for owner references that block deletion.
	c := newCluster(t, "--enable-admission-plugins=OwnerReferencesPermissionEnforcement")
	c.helm(t, "install", chartDir, "--create-namespace",
		"--set", "metrics.readers[0].kind=ServiceAccount,metrics.readers[0].name=scraper,metrics.readers[0].namespace=mesh-vms")
	program := buildProgram(t)
	// Settings that depend on the Pod are replaced: ports and the API server's address.
	log := c.start(t, program, append(arguments(pods(t)["ewc-external-workload-controller"]),
		"--health-bind-address=127.0.0.1:0", "--metrics-bind-address=127.0.0.1:0",
		"--kubeconfig="+c.account(t, "ewc-external-workload-controller"))...)

	c.apply(t, render(t, "--show-only", "templates/tests/rbac.yaml"))
	test := append(arguments(pods(t)["ewc-external-workload-controller-test"]),
		"--kubeconfig="+c.account(t, "ewc-external-workload-controller-test"))
	if test[0] != "selftest" {
		t.Fatalf("helm test runs %v", test)
	}
	var out bytes.Buffer
	if err := selftest.Command(t.Context(), test[1:], &out); err != nil {
		t.Errorf("the self test failed: %v\n%s\nThe controller says:\n%s", err, out.String(), log())
	}
	t.Run("an Event names the other writer of a condition", func(t *testing.T) { c.checkConflict(t, log) })
	if strings.Contains(strings.ToLower(log()), "forbidden") {
		t.Errorf("a permission is missing:\n%s", log())
	}
	t.Run("only readers get the metrics", func(t *testing.T) { c.checkMetrics(t, log()) })
}

// checkConflict lets another field manager overwrite Ready. Its name was "unknown" in every
// cluster, because the controller may not get workloads.
func (c cluster) checkConflict(t *testing.T, log func() string) {
	t.Helper()
	contested := workload("contested", nil)
	contested.SetAnnotations(map[string]string{v1beta1.ReadyAnnotation: "True"})
	if _, err := c.workloads.Create(t.Context(), contested, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	overwrite := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False","reason":"RivalSays"}]}}`)
	named := func(ctx context.Context) (bool, error) {
		current, err := c.workloads.Get(ctx, "contested", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		conditions, _, err := unstructured.NestedSlice(current.Object, "status", "conditions")
		if err != nil {
			return false, err
		}
		if len(conditions) == 1 && conditions[0].(map[string]any)["status"] == "True" {
			_, err = c.workloads.Patch(ctx, "contested", types.MergePatchType, overwrite, metav1.PatchOptions{FieldManager: "rival"}, "status")
			return false, err
		}
		events, err := c.core.EventsV1().Events("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
			return e.Reason == "ReadyConflict" && strings.Contains(e.Note, `field manager "rival"`)
		}), nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, settled, true, named); err != nil {
		t.Errorf("waiting for the Event: %v\n%s", err, log())
	}
}

var metricsPort = regexp.MustCompile(`"metrics":\{"IP":"127.0.0.1","Port":(\d+)`)

// checkMetrics scrapes with the token of a reader, with that of another account, and
// without a token.
func (c cluster) checkMetrics(t *testing.T, log string) {
	t.Helper()
	port := metricsPort.FindStringSubmatch(log)
	if port == nil {
		t.Fatalf("the log does not name the address of the metrics:\n%s", log)
	}
	address := "https://127.0.0.1:" + port[1] + "/metrics"
	if status, _ := scrape(t, address, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d, want %d", status, http.StatusUnauthorized)
	}
	if status, _ := scrape(t, address, c.token(t, "bystander")); status != http.StatusForbidden {
		t.Errorf("with the token of a bystander: %d, want %d", status, http.StatusForbidden)
	}
	token := c.token(t, "scraper")
	status, body := scrape(t, address, token)
	if status != http.StatusOK || !strings.Contains(body, "\nexternal_workload_leading 1\n") {
		t.Errorf("with the token of a reader: %d\n%s", status, body)
	}
	t.Run("every query of the dashboard returns data", func(t *testing.T) { checkQueries(t, port[1], token) })
}

// scrape requests the address, which has a self-signed certificate.
func scrape(t *testing.T, address, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // as scrapers do here
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// token returns a token of a new account without permissions.
func (c cluster) token(t *testing.T, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := c.core.CoreV1().ServiceAccounts("mesh-vms").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return c.existingToken(t, name)
}

func (c cluster) existingToken(t *testing.T, name string) string {
	t.Helper()
	request, err := c.core.CoreV1().ServiceAccounts("mesh-vms").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// account makes a kubeconfig with a token of the service account.
func (c cluster) account(t *testing.T, name string) string {
	t.Helper()
	token := c.existingToken(t, name)
	admin, err := clientcmd.LoadFromFile(c.plane.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for user := range admin.AuthInfos {
		admin.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	}
	path := filepath.Join(t.TempDir(), name+".kubeconfig")
	if err := clientcmd.WriteToFile(*admin, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the program until the end of the test and returns a function for its log. The
// program must end without an error.
func (c cluster) start(t *testing.T, program string, args ...string) (log func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("the controller ended with: %v\n%s", err, readFile(t, path))
		}
		_ = file.Close()
	})
	return func() string { return readFile(t, path) }
}

// apply applies manifests with the control plane's kubectl.
func (c cluster) apply(t *testing.T, manifests string) {
	t.Helper()
	applied := func(ctx context.Context) (bool, error) {
		command := exec.CommandContext(ctx, c.plane.Kubectl(), "--kubeconfig", c.plane.Kubeconfig(), "apply", "--filename=-")
		command.Stdin = bytes.NewBufferString(manifests)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Logf("kubectl apply: %v\n%s", err, out)
		}
		return err == nil, nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), time.Second, settled, true, applied); err != nil {
		t.Fatal(err)
	}
}
