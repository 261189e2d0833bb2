package v1beta1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestListWithAMalformedObjectIsDecoded(t *testing.T) {
	const good = `{"metadata":{"name":"good"},"spec":{"workloadIPs":[{"ip":"192.0.2.1"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
	for name, test := range map[string]struct {
		object string
		says   string
		ready  bool
		ports  int
	}{
		"ports that are a text":         {`{"metadata":{"name":"x"},"spec":{"ports":"80"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, "ports", true, 0},
		"a spec that is a number":       {`{"metadata":{"name":"x"},"spec":7}`, "spec", false, 0},
		"conditions that are an object": {`{"metadata":{"name":"x"},"spec":{"ports":[{"port":80}]},"status":{"conditions":{}}}`, "conditions", false, 1},
		"a port with a fraction":        {`{"metadata":{"name":"x"},"spec":{"ports":[{"port":8.5}]}}`, "port", false, 0},
		"a status that is a list":       {`{"metadata":{"name":"x"},"spec":{"ports":[{"port":80}]},"status":[1]}`, "status", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var list v1beta1.ExternalWorkloadList
			if err := json.Unmarshal([]byte(`{"items":[`+test.object+`,`+good+`]}`), &list); err != nil {
				t.Fatal(err)
			}
			odd, neighbour := list.Items[0], list.Items[1]
			if odd.Name != "x" || !strings.Contains(odd.Annotations[v1beta1.UnreadableAnnotation], test.says) {
				t.Errorf("object %q has the message %q, want x and a message about %s", odd.Name, odd.Annotations[v1beta1.UnreadableAnnotation], test.says)
			}
			if ready := len(odd.Status.Conditions) == 1; ready != test.ready || len(odd.Spec.Ports) != test.ports {
				t.Errorf("decoded %d conditions and %d ports", len(odd.Status.Conditions), len(odd.Spec.Ports))
			}
			if len(neighbour.Spec.WorkloadIPs) != 1 || len(neighbour.Annotations) != 0 {
				t.Errorf("the neighbour was decoded as %+v", neighbour)
			}
			if _, err := json.Marshal(odd); err == nil {
				t.Error("an object that was not decoded completely can be encoded")
			}
		})
	}
}

func TestDecodedObjectEncodesUnchanged(t *testing.T) {
	const text = `{"kind":"ExternalWorkload","metadata":{"name":"w"},"spec":{"meshTLS":{"identity":"i","serverName":"s"},"ports":[{"port":80}]},"status":{}}`
	var w v1beta1.ExternalWorkload
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		t.Fatal(err)
	}
	back, err := json.Marshal(&w)
	if err != nil || string(back) != text {
		t.Errorf("encoded as %s, %v", back, err)
	}
}

// An error may repeat a value, and the value may be a megabyte long.
func TestUnreadableMessageIsShort(t *testing.T) {
	object := `{"metadata":{"name":"x"},"spec":{"ports":[{"port":` + strings.Repeat("9", 1<<20) + `}]}}`
	var w v1beta1.ExternalWorkload
	if err := json.Unmarshal([]byte(object), &w); err != nil {
		t.Fatal(err)
	}
	if why := w.Annotations[v1beta1.UnreadableAnnotation]; why == "" || len(why) > 300 {
		t.Errorf("the annotation has %d bytes", len(why))
	}
}

// Otherwise an author could write the annotation, so that a readable workload counts as
// unreadable and is never written again.
func TestUnreadableCannotBeStored(t *testing.T) {
	object := `{"metadata":{"name":"x","annotations":{"` + v1beta1.UnreadableAnnotation + `":"no"}},"spec":{"ports":[{"port":80}]}}`
	var w v1beta1.ExternalWorkload
	if err := json.Unmarshal([]byte(object), &w); err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(w); err != nil {
		t.Error(err)
	}
}
