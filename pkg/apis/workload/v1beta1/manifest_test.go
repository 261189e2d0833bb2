package v1beta1_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// documented returns the workload of the manifest that Linkerd's reference documents.
func documented() *v1beta1.ExternalWorkload {
	return &v1beta1.ExternalWorkload{
		TypeMeta: metav1.TypeMeta{APIVersion: "workload.linkerd.io/v1beta1", Kind: "ExternalWorkload"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "mixed-env", Name: "external-workload",
			Labels: map[string]string{"location": "vm", "workload_name": "external-workload"},
		},
		Spec: v1beta1.ExternalWorkloadSpec{
			MeshTLS: v1beta1.MeshTLS{
				Identity: "spiffe://root.linkerd.cluster.local/external-workload", ServerName: "external-workload.cluster.local",
			},
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: "193.1.4.11"}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: 80}, {Name: "admin", Port: 9980}},
		},
		Status: v1beta1.ExternalWorkloadStatus{Conditions: []v1beta1.WorkloadCondition{{Type: "Ready", Status: "True"}}},
	}
}

func TestDocumentedManifest(t *testing.T) {
	manifest, err := os.ReadFile(root + "docs/examples/documented.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(manifest), "\n---") {
		if !strings.Contains(document, "kind: ExternalWorkload\n") {
			continue
		}
		var got v1beta1.ExternalWorkload
		if err := yaml.UnmarshalStrict([]byte(document), &got); err != nil {
			t.Fatalf("the documented workload is not an ExternalWorkload: %v", err)
		}
		if diff := cmp.Diff(documented(), &got); diff != "" {
			t.Errorf("the documented workload differs (-want +got):\n%s", diff)
		}
		return
	}
	t.Fatal("the documented manifest has no ExternalWorkload")
}

// Unset fields must not be encoded. Otherwise a client that knows fewer fields would be
// refused, and an absent time would be sent as null.
func TestUnsetFieldsAreNotWritten(t *testing.T) {
	got, err := yaml.Marshal(&v1beta1.ExternalWorkload{
		Spec:   v1beta1.ExternalWorkloadSpec{MeshTLS: v1beta1.MeshTLS{Identity: "i", ServerName: "s"}, Ports: []v1beta1.PortSpec{{Port: 1}}, WorkloadIPs: []v1beta1.WorkloadIP{{}}},
		Status: v1beta1.ExternalWorkloadStatus{Conditions: []v1beta1.WorkloadCondition{{Type: "Ready", Status: "True"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `metadata: {}
spec:
  meshTLS:
    identity: i
    serverName: s
  ports:
  - port: 1
  workloadIPs:
  - {}
status:
  conditions:
  - status: "True"
    type: Ready
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("encoded differs (-want +got):\n%s", diff)
	}
}
