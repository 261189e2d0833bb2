package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	authenticationapi "k8s.io/api/authentication/v1"
	authorizationapi "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/klog/v2"
)

const (
	// allowedFor is how long a yes of the API server is believed. It outlasts
	// the usual interval between scrapes, and a permission that is taken away
	// is gone after it.
	allowedFor = time.Minute
	// deniedFor is how long a no is believed. It is short, so that a
	// permission that was just given acts soon.
	deniedFor = 10 * time.Second
	// rememberedDecisions bounds the memory that strangers can fill.
	rememberedDecisions = 256
	// concurrentReviews bounds what strangers can ask of the API server
	// through this server.
	concurrentReviews = 4
	// reviewTimeout bounds both questions to the API server together.
	reviewTimeout = 10 * time.Second
)

// guard lets those requests through whose bearer token the API server
// recognises (TokenReview) and whose user may get the path
// (SubjectAccessReview). Whatever cannot be decided is refused.
type guard struct {
	tokens    authenticationv1.TokenReviewInterface
	access    authorizationv1.SubjectAccessReviewInterface
	decisions *cache.LRUExpireCache // question -> decision
	reviewing chan struct{}         // holds one value for each review under way
}

// question holds the token only as its hash, so that no token stays in memory.
type question struct {
	token [sha256.Size]byte
	path  string
}

// decision is the answer to a request: StatusOK lets it through.
type decision struct {
	status  int
	message string
}

func newGuard(tokens authenticationv1.TokenReviewInterface, access authorizationv1.SubjectAccessReviewInterface) *guard {
	return &guard{
		tokens:    tokens,
		access:    access,
		decisions: cache.NewLRUExpireCache(rememberedDecisions),
		reviewing: make(chan struct{}, concurrentReviews),
	}
}

func (g *guard) protect(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		decision := g.decide(request)
		switch decision.status {
		case http.StatusOK:
			handler.ServeHTTP(response, request)
			return
		case http.StatusUnauthorized:
			response.Header().Set("WWW-Authenticate", "Bearer")
		}
		http.Error(response, decision.message, decision.status)
	})
}

func (g *guard) decide(request *http.Request) decision {
	token, found := bearerToken(request)
	if !found {
		return decision{http.StatusUnauthorized, "unauthorized: send a bearer token that the API server of this cluster recognises"}
	}
	asked := question{token: sha256.Sum256([]byte(token)), path: request.URL.Path}
	if known, ok := g.decisions.Get(asked); ok {
		return known.(decision)
	}
	ctx, cancel := context.WithTimeout(request.Context(), reviewTimeout)
	defer cancel()
	decided, err := g.review(ctx, token, asked.path)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Request refused, because the API server cannot be asked", "path", asked.path)
		return decision{http.StatusInternalServerError, "the API server could not be asked whether this request is allowed; the log tells why"}
	}
	lifetime := deniedFor
	if decided.status == http.StatusOK {
		lifetime = allowedFor
	}
	g.decisions.Add(asked, decided, lifetime)
	return decided
}

// review asks the API server who has the token and whether that user may get
// the path.
func (g *guard) review(ctx context.Context, token, path string) (decision, error) {
	select {
	case g.reviewing <- struct{}{}:
		defer func() { <-g.reviewing }()
	case <-ctx.Done():
		return decision{}, fmt.Errorf("wait for other reviews: %w", ctx.Err())
	}
	tokenReview, err := g.tokens.Create(ctx, &authenticationapi.TokenReview{
		Spec: authenticationapi.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return decision{}, fmt.Errorf("create TokenReview: %w", err)
	}
	if !tokenReview.Status.Authenticated {
		return decision{http.StatusUnauthorized, "unauthorized: the API server does not recognise the bearer token"}, nil
	}
	user := tokenReview.Status.User
	accessReview, err := g.access.Create(ctx, &authorizationapi.SubjectAccessReview{
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

func bearerToken(request *http.Request) (string, bool) {
	scheme, token, found := strings.Cut(request.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}
