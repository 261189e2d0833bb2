package machine

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// attempt is a request of a thief.
type attempt struct {
	verb, resource, namespace, name string
	method, path                    string
}

// String formats the attempt like an audit log.
func (a attempt) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s/%s", a.verb, a.resource, a.namespace, a.name))
}

// everyAccountMay reports whether Kubernetes permits this to every service account. Since 1.37
// the ClusterRole system:cluster-trust-bundle-discovery does.
func (a attempt) everyAccountMay() bool {
	return a.resource == "certificates.k8s.io/clustertrustbundles" && slices.Contains([]string{"get", "list", "watch"}, a.verb)
}

// permittedAttempts are all attempts that RBAC permits: those of the invitation, and the
// reviews of the own identity and permissions.
var permittedAttempts = []string{
	"create authentication.k8s.io/selfsubjectreviews /",
	"create authorization.k8s.io/selfsubjectaccessreviews /",
	"create authorization.k8s.io/selfsubjectrulesreviews /",
	"create serviceaccounts/token shop/external-workload-machine-vm-1",
	"get workload.linkerd.io/externalworkloads shop/vm-1",
	"patch workload.linkerd.io/externalworkloads shop/vm-1",
	"watch workload.linkerd.io/externalworkloads shop/vm-1",
}

// TestAStolenCredentialMayMakeFewRequests tries every verb on every resource and subresource of
// the API server. RBAC decides before the API server reads the object, so every request that
// is not forbidden is permitted.
func TestAStolenCredentialMayMakeFewRequests(t *testing.T) {
	c := newCluster(t, true)
	config := c.config(c.invite())
	attempts := c.attempts(config)
	core, err := kubernetes.NewForConfig(config)
	c.must(err)
	found := map[string]bool{}
	for _, a := range attempts {
		request := core.CoreV1().RESTClient().Verb(a.method).RequestURI(a.path)
		if a.method == http.MethodPatch {
			request.SetHeader("Content-Type", "application/merge-patch+json").Body([]byte("{}"))
		}
		status := 0
		request.Do(t.Context()).StatusCode(&status)
		if status != http.StatusForbidden && !a.everyAccountMay() {
			found[a.String()] = true
		}
	}
	var permitted []string
	for text := range found {
		permitted = append(permitted, text)
	}
	slices.Sort(permitted)
	t.Logf("%d requests, %d of them permitted", len(attempts), len(permitted))
	if diff := cmp.Diff(permittedAttempts, permitted); diff != "" {
		t.Errorf("permitted requests (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/logs/", "/configz", "/statusz", "/flagz"} {
		status := 0
		core.CoreV1().RESTClient().Get().RequestURI(path).Do(t.Context()).StatusCode(&status)
		if status != http.StatusForbidden {
			t.Errorf("GET %s: status %d, want 403", path, status)
		}
	}
}

// attempts returns every verb on every resource, in the machine's namespace and in another
// one, with the existing names and with another one.
func (c *cluster) attempts(config *rest.Config) []attempt {
	c.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	c.must(err)
	_, lists, err := client.ServerGroupsAndResources()
	c.must(err)
	var all []attempt
	for _, list := range lists {
		for _, resource := range list.APIResources {
			group, _, versioned := strings.Cut(list.GroupVersion, "/")
			kind, prefix := group+"/"+resource.Name, "/apis/"+list.GroupVersion
			if !versioned {
				kind, prefix = resource.Name, "/api/"+list.GroupVersion
			}
			if !resource.Namespaced {
				all = append(all, requests(kind, prefix, "", resource.Name)...)
				continue
			}
			for _, namespace := range []string{namespace, "default"} {
				all = append(all, requests(kind, prefix+"/namespaces/"+namespace, namespace, resource.Name)...)
			}
		}
	}
	return all
}

// requests returns all verbs on one resource below a path.
func requests(kind, prefix, namespace, resource string) []attempt {
	plural, subresource, hasSubresource := strings.Cut(resource, "/")
	var all []attempt
	add := func(verb, method, name, path string) {
		all = append(all, attempt{verb, kind, namespace, name, method, path})
	}
	for _, name := range []string{"vm-1", "vm-2", "external-workload-machine-vm-1", "default"} {
		path := prefix + "/" + plural + "/" + name
		if hasSubresource {
			path += "/" + subresource
			add("create", http.MethodPost, name, path)
		} else {
			add("watch", http.MethodGet, name, prefix+"/"+plural+"?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3D"+name)
		}
		add("get", http.MethodGet, name, path)
		add("update", http.MethodPut, name, path)
		add("patch", http.MethodPatch, name, path)
		add("delete", http.MethodDelete, name, path)
	}
	if !hasSubresource {
		path := prefix + "/" + plural
		add("create", http.MethodPost, "", path)
		add("list", http.MethodGet, "", path)
		add("watch", http.MethodGet, "", path+"?watch=true&timeoutSeconds=1")
		add("deletecollection", http.MethodDelete, "", path)
	}
	return all
}
