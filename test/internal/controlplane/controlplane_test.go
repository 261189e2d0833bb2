package controlplane_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/external-workload/controller/test/internal/controlplane"
)

func TestDataOutlivesACrashOfEachComponent(t *testing.T) {
	// Like a prefix that enters a network namespace, this one execs the command.
	c := controlplane.ForTest(t, controlplane.Options{Prefix: []string{"nice", "-n", "1"}})
	client := clientFor(t, c.AdminConfig())
	mustCreateNamespace(t, client, "kept")

	for _, component := range []controlplane.Component{controlplane.APIServer, controlplane.Etcd} {
		before := c.Pid(component)
		if err := c.Kill(component); err != nil {
			t.Fatal(err)
		}
		if alive(before) || c.Pid(component) != 0 {
			t.Errorf("%s still runs after Kill", component)
		}
		if component == controlplane.APIServer {
			if _, err := client.CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{}); err == nil {
				t.Error("a request is answered while the API server is dead")
			}
		}
		if err := c.StartComponent(t.Context(), component); err != nil {
			t.Fatal(err)
		}
		if now := c.Pid(component); now == 0 || now == before {
			t.Errorf("%s has pid %d after the start, had %d before", component, now, before)
		}
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
			t.Errorf("after a crash of %s: %v", component, err)
		}
	}
	if err := c.StopComponent(controlplane.APIServer); err != nil {
		t.Errorf("the API server does not end cleanly: %v", err)
	}
	if err := c.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Error(err)
	}
	if err := c.StartComponent(t.Context(), controlplane.APIServer); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("a second start of the API server gave %v, want a refusal", err)
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := controlplane.Start(ctx, controlplane.Options{ControllerManager: true})
	if errors.Is(err, controlplane.ErrMissing) {
		t.Skipf("left out: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	pids := pidsOf(c)
	for component, pid := range pids {
		if !alive(pid) {
			t.Errorf("%s does not run before Stop", component)
		}
	}
	// A stopped component must end like the others.
	if err := c.Signal(controlplane.ControllerManager, syscall.SIGSTOP); err != nil {
		t.Error(err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	for component, pid := range pids {
		if alive(pid) {
			t.Errorf("%s still runs after Stop", component)
		}
	}
	if _, err := os.Stat(c.Directory()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("the second Stop returned %v, want nil", err)
	}
	if err := c.StartComponent(t.Context(), controlplane.Etcd); err == nil {
		t.Error("a component starts after Stop")
	}
}

func TestAFlagThatAComponentRefusesIsShown(t *testing.T) {
	_, err := controlplane.Start(t.Context(), controlplane.Options{
		Flags: map[controlplane.Component][]string{controlplane.APIServer: {"--no-such-flag"}},
	})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("error is %v, want the API server's own message", err)
	}
}

func TestAPortThatIsTakenIsTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	directory := t.TempDir()
	_, err = controlplane.Start(t.Context(), controlplane.Options{
		Directory: directory,
		Flags: map[controlplane.Component][]string{
			controlplane.APIServer: {"--secure-port=" + strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)},
		},
	})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error is %v, want the API server's own message", err)
	}
	log, err := os.ReadFile(filepath.Join(directory, string(controlplane.APIServer)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	if starts := strings.Count(string(log), "address already in use"); starts != 3 {
		t.Errorf("the API server was started %d times, want 3", starts)
	}
}

func TestUsersCRDAndRequests(t *testing.T) {
	c := controlplane.ForTest(t, controlplane.Options{})
	t.Run("a user may do what it is given and nothing else", func(t *testing.T) { usersAreLimited(t, c) })
	t.Run("the CRD is served, strict and then permissive", func(t *testing.T) { crdIsServed(t, c) })
	t.Run("writes are counted", func(t *testing.T) { writesAreCounted(t, c) })
	t.Run("kubectl works with the kubeconfig", func(t *testing.T) {
		output, err := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig="+c.Kubeconfig(), "get", "namespaces", "-o=name").CombinedOutput()
		if err != nil || !strings.Contains(string(output), "namespace/default") {
			t.Errorf("kubectl printed %s (error %v), want namespace/default", output, err)
		}
	})
}

func usersAreLimited(t *testing.T, c *controlplane.ControlPlane) {
	user, err := c.NewUser("reader", "readers")
	if err != nil {
		t.Fatal(err)
	}
	reader, admin := clientFor(t, user.Config()), clientFor(t, c.AdminConfig())
	if _, err := reader.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("without a binding the list gave %v, want forbidden", err)
	}
	_, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "readers"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "readers"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := reader.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		return err
	})
}

func crdIsServed(t *testing.T, c *controlplane.ControlPlane) {
	crd, err := controlplane.CRD()
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.InstallCRD(t.Context(), c.AdminConfig(), crd); err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	workloads := client.Resource(schema.GroupVersionResource{
		Group: crd.Spec.Group, Version: crd.Spec.Versions[0].Name, Resource: crd.Spec.Names.Plural,
	}).Namespace("default")
	create := func() error {
		_, err := workloads.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": crd.Spec.Group + "/" + crd.Spec.Versions[0].Name,
			"kind":       crd.Spec.Names.Kind,
			"metadata":   map[string]any{"name": "odd"},
			"spec":       "not even an object",
		}}, metav1.CreateOptions{})
		return err
	}
	if err := create(); !apierrors.IsInvalid(err) {
		t.Errorf("with the strict schema the object gave %v, want invalid", err)
	}
	if err := controlplane.InstallCRD(t.Context(), c.AdminConfig(), controlplane.Permissive(crd)); err != nil {
		t.Fatal(err)
	}
	eventually(t, create)
}

func writesAreCounted(t *testing.T, c *controlplane.ControlPlane) {
	before, err := c.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := clientFor(t, c.AdminConfig())
	const writes = 3
	for range writes {
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "counted-"}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{}, metav1.CreateOptions{})
	if err == nil {
		t.Error("a ConfigMap without a name was stored")
	}
	eventually(t, func() error { // counted just after the answer was sent
		after, err := c.Requests(t.Context())
		if err != nil {
			return err
		}
		if got := after.Since(before).Writes("", "configmaps"); got != writes {
			return errors.New("the count differs")
		}
		return nil
	})
}

func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func mustCreateNamespace(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
