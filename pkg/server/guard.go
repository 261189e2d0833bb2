package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/klog/v2"
)

const (
	// allowedFor is how long a positive answer of the API server is valid.
	allowedFor = 2 * time.Minute
	// refreshAfter is the age at which a positive answer is reviewed again in the
	// background when it is used. A scraper that comes at least every allowedFor
	// therefore never waits for a review, and a revoked permission permits at most one
	// more request after this time.
	refreshAfter = 30 * time.Second
	// deniedFor is how long a negative answer is valid. It is short, so that a new
	// permission takes effect soon.
	deniedFor = 10 * time.Second

	// The sizes of the caches. They are separate, so that junk tokens cannot displace
	// valid ones.
	rememberedAllowed = 64
	rememberedDenied  = 256
)

// guard permits requests whose bearer token the API server authenticates (TokenReview)
// and whose user may get the path (SubjectAccessReview). It refuses requests that
// cannot be decided.
type guard struct {
	reviews *reviewer
	allowed *cache.LRUExpireCache // question -> *permission
	denied  *cache.LRUExpireCache // question -> decision

	unanswered, tooMany limiter
}

// question holds the token only as its hash.
type question struct {
	token [sha256.Size]byte
	path  string
}

// permission is a positive answer of the API server.
type permission struct {
	since      time.Time
	refreshing atomic.Bool
}

// decision is the status of a request: StatusOK permits it.
type decision struct {
	status  int
	message string
}

func newGuard(tokens authenticationv1.TokenReviewInterface, access authorizationv1.SubjectAccessReviewInterface) *guard {
	return &guard{
		reviews: newReviewer(tokens, access),
		allowed: cache.NewLRUExpireCache(rememberedAllowed),
		denied:  cache.NewLRUExpireCache(rememberedDenied),
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
		case http.StatusTooManyRequests:
			response.Header().Set("Retry-After", "1")
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
	if known, ok := g.allowed.Get(asked); ok {
		g.refresh(request.Context(), known.(*permission), token, asked)
		return decision{status: http.StatusOK}
	}
	if known, ok := g.denied.Get(asked); ok {
		return known.(decision)
	}
	decided, err := g.reviews.review(request.Context(), hostOf(request.RemoteAddr), token, asked.path)
	if err != nil {
		return g.undecided(request.Context(), err)
	}
	g.remember(asked, decided)
	return decided
}

// undecided returns the decision if the API server gave no answer.
func (g *guard) undecided(ctx context.Context, err error) decision {
	logger := klog.FromContext(ctx)
	if errors.Is(err, errTooManyReviews) {
		if count := g.tooMany.happened(); count > 0 {
			logger.Info("Rejected requests: too many unknown tokens wait for the API server", "count", count)
		}
		return decision{http.StatusTooManyRequests, "too many requests with unknown tokens wait for the API server; try again later"}
	}
	if count := g.unanswered.happened(); count > 0 {
		logger.Error(err, "Rejected requests: the API server did not review their tokens", "count", count)
	}
	return decision{http.StatusInternalServerError, "the API server could not be asked whether this request is allowed; see the log of the controller"}
}

func (g *guard) remember(asked question, decided decision) {
	if decided.status == http.StatusOK {
		g.allowed.Add(asked, &permission{since: time.Now()}, allowedFor)
		return
	}
	g.denied.Add(asked, decided, deniedFor)
}

// refresh reviews an older permission again in the background. If the API server cannot
// be reached, the permission stays until it expires.
func (g *guard) refresh(ctx context.Context, known *permission, token string, asked question) {
	if time.Since(known.since) < refreshAfter || !known.refreshing.CompareAndSwap(false, true) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() { // ends within reviewTimeout
		defer known.refreshing.Store(false)
		decided, err := g.reviews.again(ctx, token, asked.path)
		if err != nil {
			g.undecided(ctx, err)
			return
		}
		if decided.status != http.StatusOK {
			g.allowed.Remove(asked)
		}
		g.remember(asked, decided)
	}()
}

func bearerToken(request *http.Request) (string, bool) {
	scheme, token, found := strings.Cut(request.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}
