package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	authenticationapi "k8s.io/api/authentication/v1"
	authorizationapi "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

const (
	// concurrentReviews is the maximum number of concurrent reviews of unknown tokens.
	concurrentReviews = 4
	// concurrentRefreshes is the same for tokens that were valid. Their limit is
	// separate, so that unknown tokens cannot delay them.
	concurrentRefreshes = 4
	// maxReviews is the maximum number of running and waiting reviews, and
	// maxReviewsPerClient the same for one client address, so that a flood from one
	// address leaves room for others.
	maxReviews          = 64
	maxReviewsPerClient = 16
	// reviewTimeout is the timeout of both requests to the API server together,
	// including the wait.
	reviewTimeout = 10 * time.Second
)

// errTooManyReviews is returned for a review that was not started.
var errTooManyReviews = errors.New("too many reviews are waiting")

// reviewer asks the API server whether the owner of a token may get a path.
type reviewer struct {
	tokens authenticationv1.TokenReviewInterface
	access authorizationv1.SubjectAccessReviewInterface

	// reviewing and refreshing hold one value for each running review.
	reviewing, refreshing chan struct{}

	mu     sync.Mutex
	total  int            // reviews under way or waiting
	client map[string]int // the same for each client address
}

func newReviewer(tokens authenticationv1.TokenReviewInterface, access authorizationv1.SubjectAccessReviewInterface) *reviewer {
	return &reviewer{
		tokens: tokens, access: access,
		reviewing:  make(chan struct{}, concurrentReviews),
		refreshing: make(chan struct{}, concurrentRefreshes),
		client:     map[string]int{},
	}
}

// review reviews an unknown token. It returns errTooManyReviews at once if too many
// others wait.
func (r *reviewer) review(ctx context.Context, client, token, path string) (decision, error) {
	if !r.enter(client) {
		return decision{}, errTooManyReviews
	}
	defer r.leave(client)
	return r.ask(ctx, r.reviewing, token, path)
}

// again reviews a token that was valid recently.
func (r *reviewer) again(ctx context.Context, token, path string) (decision, error) {
	return r.ask(ctx, r.refreshing, token, path)
}

func (r *reviewer) enter(client string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.total >= maxReviews || r.client[client] >= maxReviewsPerClient {
		return false
	}
	r.total++
	r.client[client]++
	return true
}

func (r *reviewer) leave(client string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total--
	if r.client[client]--; r.client[client] == 0 {
		delete(r.client, client)
	}
}

// ask waits for a slot, then asks the API server who owns the token and whether that
// user may get the path.
func (r *reviewer) ask(ctx context.Context, slots chan struct{}, token, path string) (decision, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return decision{}, fmt.Errorf("wait for other reviews: %w", ctx.Err())
	}
	tokenReview, err := r.tokens.Create(ctx, &authenticationapi.TokenReview{
		Spec: authenticationapi.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return decision{}, fmt.Errorf("create TokenReview: %w", err)
	}
	if !tokenReview.Status.Authenticated {
		return decision{http.StatusUnauthorized, "unauthorized: the API server does not recognise the bearer token"}, nil
	}
	return r.mayGet(ctx, tokenReview.Status.User, path)
}

func (r *reviewer) mayGet(ctx context.Context, user authenticationapi.UserInfo, path string) (decision, error) {
	accessReview, err := r.access.Create(ctx, &authorizationapi.SubjectAccessReview{
		Spec: authorizationapi.SubjectAccessReviewSpec{
			User:                  user.Username,
			UID:                   user.UID,
			Groups:                user.Groups,
			Extra:                 extra(user.Extra),
			NonResourceAttributes: &authorizationapi.NonResourceAttributes{Path: path, Verb: "get"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return decision{}, fmt.Errorf("create SubjectAccessReview: %w", err)
	}
	if !accessReview.Status.Allowed {
		return decision{http.StatusForbidden, fmt.Sprintf(
			"forbidden: user %q needs a ClusterRole that allows the verb get on the nonResourceURL %s", user.Username, path)}, nil
	}
	return decision{status: http.StatusOK}, nil
}

// extra converts between the two APIs' types for the same thing.
func extra(values map[string]authenticationapi.ExtraValue) map[string]authorizationapi.ExtraValue {
	converted := make(map[string]authorizationapi.ExtraValue, len(values))
	for key, value := range values {
		converted[key] = authorizationapi.ExtraValue(value)
	}
	return converted
}
