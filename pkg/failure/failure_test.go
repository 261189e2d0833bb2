package failure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var slices = schema.GroupResource{Group: "discovery.k8s.io", Resource: "endpointslices"}

func TestReason(t *testing.T) {
	terminating := apierrors.NewForbidden(slices, "a", errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for sentence, test := range map[string]struct {
		err  error
		want string
	}{
		"the object was modified":           {apierrors.NewConflict(slices, "a", errors.New("modified")), Conflict},
		"the object exists":                 {apierrors.NewAlreadyExists(slices, "a"), Conflict},
		"the object is gone":                {apierrors.NewNotFound(slices, "a"), Conflict},
		"a permission is missing":           {apierrors.NewForbidden(slices, "a", errors.New("no")), Forbidden},
		"the token is invalid":              {apierrors.NewUnauthorized("no"), Forbidden},
		"a quota is used up":                {apierrors.NewForbidden(slices, "a", errors.New("exceeded quota: few")), QuotaExceeded},
		"a webhook refuses":                 {apierrors.NewBadRequest(`admission webhook "x.example.org" denied the request: no`), Denied},
		"the content is invalid":            {apierrors.NewInvalid(schema.GroupKind{Kind: "EndpointSlice"}, "a", nil), Invalid},
		"the API server is overloaded":      {apierrors.NewTooManyRequests("later", 1), Throttled},
		"the API server is slow":            {apierrors.NewTimeoutError("slow", 1), Timeout},
		"the request's deadline has passed": {fmt.Errorf("update: %w", context.DeadlineExceeded), Timeout},
		"the program stops":                 {fmt.Errorf("update: %w", context.Canceled), Stopped},
		"the API server has failed":         {apierrors.NewInternalError(errors.New("broken")), Unavailable},
		"the connection has failed":         {http.ErrServerClosed, Unavailable},
		"the namespace is being deleted":    {terminating, NamespaceTerminating},
		"the namespace is gone":             {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"), NamespaceTerminating},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := Reason(test.err); got != test.want {
				t.Errorf("%v: the reason is %s, want %s", test.err, got, test.want)
			}
		})
	}
}
