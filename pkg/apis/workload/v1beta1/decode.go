package v1beta1

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "sigs.k8s.io/json"
)

// UnreadableAnnotation says, on an object in memory only, why its spec or its
// status could not be read. A CustomResourceDefinition that checks nothing lets
// anything be stored, and one object that cannot be read would otherwise keep
// all others from being listed and watched.
const UnreadableAnnotation = "external-workload.io/unreadable"

// errUnreadable keeps an object of which a part is missing from being written.
var errUnreadable = errors.New("the object was not read completely and must not be written back")

// UnmarshalJSON reads an ExternalWorkload. A spec or status of another shape is
// left empty, and UnreadableAnnotation says why; only metadata that cannot be
// read is an error.
func (w *ExternalWorkload) UnmarshalJSON(data []byte) error {
	*w = ExternalWorkload{}
	if decodeOnce(data, w) {
		return nil
	}
	*w = ExternalWorkload{}
	return w.decodeGenerally(data)
}

// decodeGenerally reads an ExternalWorkload of any form.
func (w *ExternalWorkload) decodeGenerally(data []byte) error {
	type plain ExternalWorkload
	whole := kubejson.UnmarshalCaseSensitivePreserveInts(data, (*plain)(w))
	if whole == nil {
		// What is stored under this name is not ours.
		delete(w.Annotations, UnreadableAnnotation)
		return nil
	}
	var parts struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec, Status      json.RawMessage
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("reading an ExternalWorkload: %w", whole)
	}
	*w = ExternalWorkload{TypeMeta: parts.TypeMeta, ObjectMeta: parts.ObjectMeta}
	if kubejson.UnmarshalCaseSensitivePreserveInts(parts.Spec, &w.Spec) != nil {
		w.Spec = ExternalWorkloadSpec{}
	}
	if kubejson.UnmarshalCaseSensitivePreserveInts(parts.Status, &w.Status) != nil {
		w.Status = ExternalWorkloadStatus{}
	}
	metav1.SetMetaDataAnnotation(&w.ObjectMeta, UnreadableAnnotation, brief(whole.Error()))
	return nil
}

// maxProblem bounds what is kept of an error, which may repeat a value.
const maxProblem = 256

func brief(problem string) string {
	if len(problem) <= maxProblem {
		return problem
	}
	return strings.ToValidUTF8(problem[:maxProblem], "") + "..."
}

// MarshalJSON writes an ExternalWorkload, unless it was not read completely:
// writing it back would lose what is stored.
func (w ExternalWorkload) MarshalJSON() ([]byte, error) {
	if _, unreadable := w.Annotations[UnreadableAnnotation]; unreadable {
		return nil, fmt.Errorf("writing ExternalWorkload %s/%s: %w", w.Namespace, w.Name, errUnreadable)
	}
	type plain ExternalWorkload
	return json.Marshal(plain(w))
}
