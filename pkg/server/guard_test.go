package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationapi "k8s.io/api/authentication/v1"
	authorizationapi "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	clienttesting "k8s.io/client-go/testing"
)

// apiServer knows the tokens "good" of prometheus and "other" of another user, and permits
// prometheus to get /metrics.
type apiServer struct {
	*fake.Clientset
	users                   map[string]string // token -> user
	tokenError, accessError error
	accessAsked             []authorizationapi.SubjectAccessReviewSpec
}

func newAPIServer() *apiServer {
	server := &apiServer{Clientset: fake.NewClientset(), users: map[string]string{"good": "prometheus", "other": "somebody"}}
	server.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationapi.TokenReview).DeepCopy()
		if user, known := server.users[review.Spec.Token]; known {
			review.Status = authenticationapi.TokenReviewStatus{Authenticated: true, User: authenticationapi.UserInfo{
				Username: user, UID: "7", Groups: []string{"watchers"}, Extra: map[string]authenticationapi.ExtraValue{"key": {"value"}},
			}}
		}
		return true, review, server.tokenError
	})
	server.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationapi.SubjectAccessReview).DeepCopy()
		server.accessAsked = append(server.accessAsked, review.Spec)
		review.Status.Allowed = review.Spec.User == "prometheus" && review.Spec.NonResourceAttributes.Path == "/metrics"
		return true, review, server.accessError
	})
	return server
}

func (s *apiServer) guard() *guard {
	return newGuard(s.AuthenticationV1().TokenReviews(), s.AuthorizationV1().SubjectAccessReviews())
}

// secure adds the settings for secure serving.
func secure(config Config) Config {
	server := newAPIServer()
	config.MetricsAddress = anyPort
	config.Gatherer = testRegistry()
	config.TokenReviews = server.AuthenticationV1().TokenReviews()
	config.AccessReviews = server.AuthorizationV1().SubjectAccessReviews()
	return config
}

func ask(guard *guard, path, authorization string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := httptest.NewRecorder()
	guard.protect(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		_, _ = response.Write([]byte("secret"))
	})).ServeHTTP(response, request)
	return response
}

func TestOnlyAuthorizedUsersGetIn(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		path, authorization     string
		tokenError, accessError error
		status                  int
		body                    string
	}{
		"a good token":              {path: "/metrics", authorization: "Bearer good", status: 200, body: "secret"},
		"a scheme in small letters": {path: "/metrics", authorization: "bearer good", status: 200, body: "secret"},
		"no token":                  {path: "/metrics", status: 401, body: "send a bearer token"},
		"an empty token":            {path: "/metrics", authorization: "Bearer ", status: 401, body: "send a bearer token"},
		"another scheme":            {path: "/metrics", authorization: "Basic good", status: 401, body: "send a bearer token"},
		"an unknown token":          {path: "/metrics", authorization: "Bearer bad", status: 401, body: "does not recognise"},
		"a user without permission": {path: "/metrics", authorization: "Bearer other", status: 403, body: `user "somebody" needs a ClusterRole that allows the verb get on the nonResourceURL /metrics`},
		"a path without permission": {path: "/debug/pprof/heap", authorization: "Bearer good", status: 403, body: "/debug/pprof/heap"},
		"tokens cannot be reviewed": {path: "/metrics", authorization: "Bearer good", tokenError: broken, status: 500, body: "could not be asked"},
		"access cannot be reviewed": {path: "/metrics", authorization: "Bearer good", accessError: broken, status: 500, body: "could not be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newAPIServer()
			server.tokenError, server.accessError = test.tokenError, test.accessError
			response := ask(server.guard(), test.path, test.authorization)
			if response.Code != test.status || !strings.Contains(response.Body.String(), test.body) {
				t.Errorf("%d %q, want %d and %q", response.Code, response.Body, test.status, test.body)
			}
			if test.status != 200 && strings.Contains(response.Body.String(), "secret") {
				t.Error("the secret was returned")
			}
			if challenge := response.Header().Get("WWW-Authenticate"); (challenge == "Bearer") != (test.status == 401) {
				t.Errorf("challenge %q with status %d", challenge, test.status)
			}
		})
	}
}

func TestAccessReviewHasAllAttributesOfTheUser(t *testing.T) {
	server := newAPIServer()
	ask(server.guard(), "/metrics", "Bearer good")
	want := []authorizationapi.SubjectAccessReviewSpec{{
		User: "prometheus", UID: "7", Groups: []string{"watchers"}, Extra: map[string]authorizationapi.ExtraValue{"key": {"value"}},
		NonResourceAttributes: &authorizationapi.NonResourceAttributes{Path: "/metrics", Verb: "get"},
	}}
	if diff := cmp.Diff(want, server.accessAsked); diff != "" {
		t.Errorf("review (-want +got):\n%s", diff)
	}
}

func TestDecisionsAreRemembered(t *testing.T) {
	for name, test := range map[string]struct {
		authorization string
		broken        error
		wait          time.Duration
		wantReviews   int // of tokens, for two requests with the wait between
	}{
		"allowed, while it is new": {authorization: "Bearer good", wait: refreshAfter - time.Second, wantReviews: 1},
		"allowed, and refreshed":   {authorization: "Bearer good", wait: refreshAfter + time.Second, wantReviews: 2},
		"allowed, and expired":     {authorization: "Bearer good", wait: allowedFor + time.Second, wantReviews: 2},
		"denied, for ten seconds":  {authorization: "Bearer other", wait: deniedFor - time.Second, wantReviews: 1},
		"denied, and expired":      {authorization: "Bearer other", wait: deniedFor + time.Second, wantReviews: 2},
		"an unknown token":         {authorization: "Bearer bad", wait: deniedFor - time.Second, wantReviews: 1},
		"an error is not cached":   {authorization: "Bearer good", broken: errors.New("broken"), wantReviews: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newAPIServer()
				server.tokenError = test.broken
				guard := server.guard()
				first := ask(guard, "/metrics", test.authorization)
				time.Sleep(test.wait)
				second := ask(guard, "/metrics", test.authorization)
				synctest.Wait()
				if first.Code != second.Code || first.Body.String() != second.Body.String() {
					t.Errorf("%d %q and then %d %q", first.Code, first.Body, second.Code, second.Body)
				}
				reviews := 0
				for _, action := range server.Actions() {
					if action.Matches("create", "tokenreviews") {
						reviews++
					}
				}
				if reviews != test.wantReviews {
					t.Errorf("%d reviews, want %d", reviews, test.wantReviews)
				}
			})
		})
	}
}

func TestADecisionHoldsForItsTokenAndPathOnly(t *testing.T) {
	guard := newAPIServer().guard()
	for _, step := range []struct {
		path, authorization string
		want                int
	}{
		{"/metrics", "Bearer good", 200},
		{"/metrics", "Bearer other", 403},
		{"/debug/pprof/", "Bearer good", 403},
		{"/metrics", "Bearer good", 200},
	} {
		if response := ask(guard, step.path, step.authorization); response.Code != step.want {
			t.Errorf("%s with %s: status %d, want %d", step.path, step.authorization, response.Code, step.want)
		}
	}
}

// tokenReviews is a client whose reviews are the function.
type tokenReviews struct {
	authenticationv1.TokenReviewInterface
	create func(context.Context) error
}

func (r tokenReviews) Create(ctx context.Context, review *authenticationapi.TokenReview, _ metav1.CreateOptions) (*authenticationapi.TokenReview, error) {
	return review, r.create(ctx)
}

func TestStrangersCannotFloodTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asked := 0
		hanging := tokenReviews{create: func(ctx context.Context) error {
			mu.Lock()
			asked++
			mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		}}
		guard := newGuard(hanging, nil)
		begin := time.Now()
		statuses := map[int]int{}
		var group sync.WaitGroup
		for range 3 * maxReviewsPerClient {
			group.Go(func() {
				response := ask(guard, "/metrics", "Bearer bad")
				if retry := response.Header().Get("Retry-After"); (retry == "1") != (response.Code == http.StatusTooManyRequests) {
					t.Errorf("Retry-After is %q with status %d", retry, response.Code)
				}
				mu.Lock()
				statuses[response.Code]++
				mu.Unlock()
			})
		}
		synctest.Wait()
		mu.Lock()
		if asked != concurrentReviews {
			t.Errorf("%d concurrent reviews, want %d", asked, concurrentReviews)
		}
		if diff := cmp.Diff(map[int]int{http.StatusTooManyRequests: 2 * maxReviewsPerClient}, statuses); diff != "" {
			t.Errorf("immediate answers (-want +got):\n%s", diff)
		}
		mu.Unlock()
		group.Wait()
		if took := time.Since(begin); took > reviewTimeout {
			t.Errorf("unknown clients waited %v, want at most %v", took, reviewTimeout)
		}
		if statuses[http.StatusInternalServerError] != maxReviewsPerClient {
			t.Errorf("statuses %v, want 500 for the %d that waited", statuses, maxReviewsPerClient)
		}
	})
}

func TestRevokedPermissionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		guard := server.guard()
		statuses := []int{ask(guard, "/metrics", "Bearer good").Code}
		delete(server.users, "good")
		for range 3 {
			time.Sleep(refreshAfter)
			statuses = append(statuses, ask(guard, "/metrics", "Bearer good").Code)
			synctest.Wait()
		}
		if diff := cmp.Diff([]int{200, 200, 401, 401}, statuses); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}

func TestAPermissionOutlastsAnAPIServerThatIsAwayBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer()
		guard := server.guard()
		var statuses []int
		for range allowedFor / refreshAfter {
			statuses = append(statuses, ask(guard, "/metrics", "Bearer good").Code)
			synctest.Wait()
			server.tokenError = errors.New("away")
			time.Sleep(refreshAfter)
		}
		time.Sleep(time.Second)
		statuses = append(statuses, ask(guard, "/metrics", "Bearer good").Code)
		if diff := cmp.Diff([]int{200, 200, 200, 200, 500}, statuses); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}
