package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// actAs makes the test binary replace the controller, so that this program is tested
// without it.
const actAs = "RUN_TEST_ACT_AS"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(actAs) {
	case "":
		os.Exit(m.Run())
	case "publisher":
		err = publish()
	case "failure":
		err = errors.New("no permission to list")
	}
	fmt.Println(err)
	os.Exit(1)
}

// publish becomes ready and writes the example's slice.
func publish() error {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "")
	health := flags.String("health-bind-address", "", "")
	flags.String("metrics-bind-address", "", "")
	flags.Bool("leader-elect", true, "")
	namespace := flags.String("namespace", "", "")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	slice := exampleSlice()
	slice.Namespace = *namespace
	client := kubernetes.NewForConfigOrDie(config).DiscoveryV1().EndpointSlices(*namespace)
	if _, err := client.Create(context.Background(), slice, metav1.CreateOptions{}); err != nil {
		return err
	}
	return http.ListenAndServe(*health, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

func TestOnceEndsWhenTheExampleIsPublished(t *testing.T) {
	t.Setenv(actAs, "publisher")
	out := newLines(nil)
	o := options{once: true, expectReady: true, timeout: defaultTimeout, controller: os.Args[0], forController: []string{"--namespace=" + exampleNamespace}}
	if err := run(t.Context(), o, out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"created mixed-env/vm-1 IPv4 193.1.4.11 (ready)", "--subresource=status", "/metrics"} {
		if !strings.Contains(out.text(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.text())
		}
	}
	wantNothingLeft(t)
}

func TestAnInterruptEndsEverythingWithoutAnError(t *testing.T) {
	t.Setenv(actAs, "publisher")
	ctx, cancel := context.WithCancel(t.Context())
	out := newLines(func(line string) {
		if strings.Contains(line, "created "+exampleNamespace) {
			cancel()
		}
	})
	o := options{controller: os.Args[0], forController: []string{"--namespace=" + exampleNamespace}}
	if err := run(ctx, o, out); err != nil {
		t.Error(err)
	}
	wantNothingLeft(t)
}

func TestAnInterruptDuringTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := newLines(func(line string) {
		if strings.HasPrefix(line, "installing") {
			cancel()
		}
	})
	if err := run(ctx, options{controller: os.Args[0]}, out); err != nil {
		t.Error(err)
	}
	wantNothingLeft(t)
}

func TestAControllerThatFailsIsShown(t *testing.T) {
	t.Setenv(actAs, "failure")
	err := run(t.Context(), options{controller: os.Args[0]}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no permission to list") {
		t.Errorf("error is %v, want the controller's own message", err)
	}
	wantNothingLeft(t)
}

func TestTheReadersClusterIsUsedAsItIs(t *testing.T) {
	t.Setenv(actAs, "publisher")
	c := controlplane.ForTest(t, controlplane.Options{})
	o := options{
		kubeconfig: c.Kubeconfig(), controller: os.Args[0], once: true, timeout: defaultTimeout,
		forController: []string{"--namespace=" + exampleNamespace},
	}
	err := run(t.Context(), o, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "files/crds") {
		t.Errorf("without the CustomResourceDefinition the error is %v, want one with its path", err)
	}

	if err := controlplane.InstallChartCRD(t.Context(), c.AdminConfig()); err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(c.AdminConfig())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: exampleNamespace}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	out := newLines(nil)
	if err := run(t.Context(), o, out); err != nil {
		t.Fatal(err)
	}
	if want := "export KUBECONFIG=" + c.Kubeconfig(); !strings.Contains(out.text(), want) {
		t.Errorf("the output lacks %q:\n%s", want, out.text())
	}
	wantNothingInstalled(t, client)
}

func wantNothingInstalled(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	policies, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(policies.Items) > 0 {
		t.Errorf("found %d admission policies (error %v), want none", len(policies.Items), err)
	}
	services, err := client.CoreV1().Services(exampleNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(services.Items) > 0 {
		t.Errorf("found %d Services (error %v), want none", len(services.Items), err)
	}
}

// wantNothingLeft fails the test if it has child processes.
func wantNothingLeft(t *testing.T) {
	t.Helper()
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: pid %d, error %v", pid, err)
	}
}

// lines collects the output, and calls look with each line.
type lines struct {
	mu   sync.Mutex
	all  strings.Builder
	look func(line string)
}

func newLines(look func(string)) *lines { return &lines{look: look} }

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.look != nil {
		for line := range strings.Lines(string(data)) {
			l.look(line)
		}
	}
	return l.all.Write(data)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
